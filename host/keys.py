"""The host's keys: made, sealed at rest, and used here; no clear key leaves this file but on a key card.

Everything stored is sealed under one master key (``protocol.crypto.vault``) with the terminal's serial number as its
context. Two versions of a terminal's working keys count until the first good frame under the newer one, so that a lost
sign-on reply locks nobody out (invariant K2).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from host.records import Terminal
from protocol.codec import MacMaker, Unsealed
from protocol.crypto.keys import WorkingKeys, make_working_keys, pack_working_keys, unpack_working_keys
from protocol.crypto.mac import cup_ecb_mac, verify_cup_ecb_mac
from protocol.crypto.pinblock import decrypt_pin_block
from protocol.crypto.signing import public_key
from protocol.crypto.vault import KEY_BYTES, NONCE_BYTES, seal, unseal

Fresh = Callable[[int], bytes]
TMK_BYTES = 16
_CACHED_SETS = 4096


class MacCheck(Enum):
    """How a request's field 64 fared."""

    ABSENT = "absent"
    WRONG = "wrong"
    CURRENT = "under the current keys"
    PREVIOUS = "under the previous keys"

    @property
    def good(self) -> bool:
        """Was the request made by who holds the terminal's keys?"""
        return self in (MacCheck.CURRENT, MacCheck.PREVIOUS)


@dataclass(frozen=True, slots=True)
class Issued:
    """New working keys: field 62 for the terminal, and the sealed form for the store."""

    field62: bytes
    sealed: bytes


class KeyDesk:
    """Uses keys for the engine. ``fresh`` gives random bytes; ``master_key`` is 32 bytes."""

    def __init__(self, master_key: bytes, fresh: Fresh) -> None:
        self._master_key = master_key
        self._fresh = fresh
        self._open = lru_cache(_CACHED_SETS)(self._unseal_set)

    def new_tmk(self, serial_number: str, tmk: bytes | None = None) -> bytes:
        """A terminal master key, sealed; random where none is given."""
        return self._seal(tmk or self._fresh(TMK_BYTES), f"tmk:{serial_number}")

    def new_signing_key(self) -> bytes:
        """The host's Ed25519 key for commands, sealed."""
        return self._seal(self._fresh(KEY_BYTES), "signing")

    def signing_key(self, sealed: bytes) -> bytes:
        """The clear Ed25519 private key, for ``protocol.command.sign_command``."""
        return unseal(self._master_key, sealed, b"signing")

    def key_card(self, terminal: Terminal, signing_sealed: bytes) -> dict[str, str]:
        """What the depot loads into a device: the clear TMK and the host's public key, as hex."""
        tmk = unseal(self._master_key, terminal.tmk, _context(f"tmk:{terminal.serial_number}"))
        return {"tmk": tmk.hex().upper(), "host_public_key": public_key(self.signing_key(signing_sealed)).hex().upper()}

    def issue(self, terminal: Terminal, network: str) -> Issued:
        """Working keys in the layout of a sign-on's 60.3 code. Raises KeyLoadError for a code without a layout."""
        tmk = unseal(self._master_key, terminal.tmk, _context(f"tmk:{terminal.serial_number}"))
        field62 = pack_working_keys(tmk, make_working_keys(network, self._fresh))
        return Issued(field62, self._seal(field62, f"keys:{terminal.serial_number}"))

    def check(self, terminal: Terminal, unsealed: Unsealed) -> MacCheck:
        """Whose keys made the MAC over the bytes that came."""
        if not unsealed.mac:
            return MacCheck.ABSENT
        for sealed, verdict in (
            (terminal.working_keys, MacCheck.CURRENT),
            (terminal.previous_keys, MacCheck.PREVIOUS),
        ):
            if sealed and verify_cup_ecb_mac(self._keys(terminal, sealed).mak, unsealed.mac_input, unsealed.mac):
                return verdict
        return MacCheck.WRONG

    def mac_maker(self, terminal: Terminal, check: MacCheck) -> MacMaker | None:
        """Makes the reply's MAC under the keys of the request; None where the request proved no keys."""
        if not check.good:
            return None
        mak = self._keys(terminal, self._sealed(terminal, check)).mak
        return lambda data: cup_ecb_mac(mak, data)

    def pin(self, terminal: Terminal, check: MacCheck, block: bytes, pan: str) -> str:
        """The clear PIN, for the simulated issuer. Raises DecodeError where the block holds none."""
        return decrypt_pin_block(self._keys(terminal, self._sealed(terminal, check)).pik, block, pan)

    def card_token(self, pan: str) -> str:
        """What stands for a PAN in the ledger: the same for the same card, and not to be turned back."""
        return hmac.new(self._master_key, b"pan:" + pan.encode(), hashlib.sha256).hexdigest()[:32]

    def fingerprint(self, content: bytes) -> bytes:
        """Stands for a request's content, which may hold card data."""
        return hmac.new(self._master_key, b"request:" + content, hashlib.sha256).digest()

    def _sealed(self, terminal: Terminal, check: MacCheck) -> bytes:
        return terminal.previous_keys if check is MacCheck.PREVIOUS else terminal.working_keys

    def _keys(self, terminal: Terminal, sealed: bytes) -> WorkingKeys:
        return self._open(terminal.serial_number, terminal.tmk, sealed)

    def _unseal_set(self, serial_number: str, tmk_sealed: bytes, sealed: bytes) -> WorkingKeys:
        tmk = unseal(self._master_key, tmk_sealed, _context(f"tmk:{serial_number}"))
        return unpack_working_keys(tmk, unseal(self._master_key, sealed, _context(f"keys:{serial_number}")))

    def _seal(self, secret: bytes, context: str) -> bytes:
        return seal(self._master_key, self._fresh(NONCE_BYTES), secret, _context(context))


def _context(text: str) -> bytes:
    return text.encode()
