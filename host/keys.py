"""The host's keys: made, sealed at rest, and used here; no clear key leaves this file but on a key card.

Everything stored is sealed under one data key (``protocol.crypto.vault``) with the terminal's serial number as its
context; the data key is sealed under the master key (``host.master_key``). Two versions of a terminal's working keys
count until the first good frame under the newer one, so that a lost sign-on reply locks nobody out (invariant K2); they
outlive the terminal's master key, which may be renewed meanwhile. Keys are used by the cipher for which the sign-on
asked (CUP 5.2 to 5.6).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache, partial
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from host.records import Terminal
from host.transport_key import make_transport_key
from protocol.codec import MacMaker, Unsealed
from protocol.crypto import derived
from protocol.crypto.cipher import SM4, TDES, BlockCipher
from protocol.crypto.derived import Purpose
from protocol.crypto.key import MacKey, PinKey, TrackKey
from protocol.crypto.keys import (
    KEY_CIPHERS,
    WorkingKeys,
    check_value,
    make_working_keys,
    pack_working_keys,
)
from protocol.crypto.mac import MAC_ALGORITHMS, MacAlgorithm
from protocol.crypto.pinblock import PIN_FORMATS, PinFormat
from protocol.crypto.signing import public_key
from protocol.crypto.tmk_download import transport_key, unpack_master_key
from protocol.crypto.tmk_exchange import pack_answer, pack_signed_key
from protocol.crypto.vault import KEY_BYTES, NONCE_BYTES, seal, unseal

Fresh = Callable[[int], bytes]
TMK_BYTES: Final = 16
RID: Final = bytes.fromhex("A000000333")
RSA_KEY_INDEX: Final = b"\x01"
_CACHED_SETS: Final = 4096


class MacCheck(Enum):
    """How a request's field 64 fared."""

    ABSENT = "absent", False
    WRONG = "wrong", False
    CURRENT = "under the current keys", True
    PREVIOUS = "under the previous keys", True

    def __init__(self, told: str, good: bool) -> None:
        self.told: Final = told
        self.good: Final = good
        """Was the request made by who holds the terminal's keys?"""


@dataclass(frozen=True, slots=True)
class Suite:
    """A row of SUITES: how MACs and PIN blocks are made under working keys of one cipher."""

    mac: MacAlgorithm
    pin_format: PinFormat


SUITES: Final[Mapping[BlockCipher, Suite]] = MappingProxyType(
    {
        TDES: Suite(MAC_ALGORITHMS["cup-ecb"], PIN_FORMATS["x98"]),
        SM4: Suite(MAC_ALGORITHMS["cup-sm4"], PIN_FORMATS["sm4"]),
    }
)


@dataclass(frozen=True)
class KeySet:
    """The keys of one sign-on, for which 60.3 was ``network``."""

    network: str
    keys: WorkingKeys = field(repr=False)

    @cached_property
    def suite(self) -> Suite:
        """How they are used."""
        return SUITES[KEY_CIPHERS[self.network]]

    def __bytes__(self) -> bytes:
        held = (self.keys.pik, self.keys.mak, self.keys.tdk or b"")
        return json.dumps([self.network, *(key.hex() for key in held)]).encode()

    @classmethod
    def parse(cls, spelt: bytes) -> KeySet:
        """The inverse of ``bytes``."""
        network, *held = json.loads(spelt)
        pik, mak, tdk = map(bytes.fromhex, held)
        return cls(network, WorkingKeys(PinKey(pik), MacKey(mak), TrackKey(tdk) if tdk else None))


@dataclass(frozen=True, slots=True)
class Issued:
    """New working keys: field 62 for the terminal, and the sealed form for the store."""

    field62: bytes
    sealed: bytes


class KeyDesk:
    """Uses keys for the engine. ``fresh`` gives random bytes; ``data_key`` is 32 bytes, which the master key seals."""

    def __init__(self, data_key: bytes, fresh: Fresh) -> None:
        self.data_key = data_key
        self.fresh = fresh
        self._open = lru_cache(_CACHED_SETS)(self._unseal_set)

    def new_tmk(self, serial_number: str, tmk: bytes | None = None) -> bytes:
        """A terminal master key, sealed; random where none is given."""
        return self._seal(tmk or self.fresh(TMK_BYTES), f"tmk:{serial_number}")

    def new_signing_key(self) -> bytes:
        """The host's Ed25519 key for commands, sealed."""
        return self._seal(self.fresh(KEY_BYTES), "signing")

    def signing_key(self, sealed: bytes) -> bytes:
        """The clear Ed25519 private key, for ``protocol.command.sign_command``."""
        return unseal(self.data_key, sealed, b"signing")

    def key_card(self, terminal: Terminal, signing_sealed: bytes) -> dict[str, str]:
        """What the depot loads into a device: the clear TMK with its check value and the host's public key, as hex."""
        tmk = self._tmk(terminal)
        return {
            "tmk": tmk.hex().upper(),
            "check_value": check_value(tmk).hex().upper(),
            **self.host_key(signing_sealed),
        }

    def tmk_check_value(self, terminal: Terminal) -> str:
        """The check value of the TMK, 8 hex digits, for people to compare."""
        return check_value(self._tmk(terminal)).hex().upper()

    def host_key(self, signing_sealed: bytes) -> dict[str, str]:
        """The host's public key, as hex: all that a device needs that gets its TMK over the line."""
        return {"host_public_key": public_key(self.signing_key(signing_sealed)).hex().upper()}

    def offer(self, signing_sealed: bytes) -> bytes:
        """Field 62 of the reply to 352: the RSA key under which a device may send a transport key, signed."""
        return pack_signed_key(transport_key(self._rsa, RID, RSA_KEY_INDEX), self.signing_key(signing_sealed))

    def download(self, terminal: Terminal, field62: bytes) -> bytes:
        """Field 62 of the reply to 350: the TMK under the transport key of the request.

        Raises DecodeError on other tags, KeyLoadError where the transport key was not made for this host.
        """
        return pack_answer(unpack_master_key(self._rsa, field62), self._tmk(terminal))

    def issue(self, terminal: Terminal, network: str) -> Issued:
        """Working keys in layout and cipher of a sign-on's 60.3 code. Raises KeyLoadError for a code without them."""
        keys = make_working_keys(network, self.fresh)
        field62 = pack_working_keys(self._tmk(terminal), keys, KEY_CIPHERS[network])
        return Issued(field62, self._seal(bytes(KeySet(network, keys)), f"keys:{terminal.serial_number}"))

    def check(self, terminal: Terminal, unsealed: Unsealed) -> MacCheck:
        """Whose keys made the MAC over the bytes that came."""
        if not unsealed.mac:
            return MacCheck.ABSENT
        for sealed, verdict in (
            (terminal.working_keys, MacCheck.CURRENT),
            (terminal.previous_keys, MacCheck.PREVIOUS),
        ):
            if not sealed:
                continue
            issued = self._open(terminal.serial_number, sealed)
            if issued.suite.mac.verify(issued.keys.mak, unsealed.mac_input, unsealed.mac):
                return verdict
        return MacCheck.WRONG

    def mac_maker(self, terminal: Terminal, check: MacCheck) -> MacMaker | None:
        """Makes the reply's MAC under the keys of the request; None where the request proved no keys."""
        if not check.good:
            return None
        issued = self._issued(terminal, check)
        return partial(issued.suite.mac.make, issued.keys.mak)

    def pin(self, terminal: Terminal, check: MacCheck, block: bytes, pan: str) -> str:
        """The clear PIN, for the simulated issuer. Raises DecodeError where the block holds none."""
        issued = self._issued(terminal, check)
        return issued.suite.pin_format.decrypt(issued.keys.pik, block, pan)

    def card_token(self, pan: str) -> str:
        """What stands for a PAN in the ledger: the same for the same card, and not to be turned back."""
        return blake2b(pan.encode(), digest_size=16, key=self.data_key, person=b"pan").hexdigest()

    def fingerprint(self, content: bytes) -> bytes:
        """Stands for a request's content, which may hold card data."""
        return blake2b(content, digest_size=32, key=self.data_key, person=b"request").digest()

    def link(self, before: bytes, row: bytes) -> bytes:
        """The digest of an audit row that follows another; who has not the data key can make none."""
        return hmac.new(self.data_key, b"audit:" + before + row, hashlib.sha256).digest()

    def open_backup(self, terminal: Terminal, sealed: bytes, context: bytes) -> bytes:
        """What a device sealed for its host; raises KeyLoadError "vault" where it, or ``context``, is another."""
        return derived.open_backup(self._tmk(terminal), sealed, context)

    def seal_backup(self, terminal: Terminal, content: bytes, context: bytes) -> bytes:
        """The same for a device, so that only it can open it; the same bytes every time."""
        return derived.seal_backup(self._tmk(terminal), content, context)

    def is_proof(self, terminal: Terminal, purpose: Purpose, statement: bytes, proof: bytes) -> bool:
        """Did the device that has this terminal's master key state that?"""
        return derived.is_proof(self._tmk(terminal), purpose, statement, proof)

    def keep_backup(self, number: int, content: bytes) -> bytes:
        """A backup as the store keeps it until its swap is over."""
        return self._seal(content, f"backup:{number}")

    def kept_backup(self, number: int, sealed: bytes) -> bytes:
        """The inverse of ``keep_backup``."""
        return unseal(self.data_key, sealed, _context(f"backup:{number}"))

    @cached_property
    def _rsa(self) -> RSAPrivateKey:
        return make_transport_key(hmac.new(self.data_key, b"RSA key for master keys", hashlib.sha256).digest())

    def _tmk(self, terminal: Terminal) -> bytes:
        return unseal(self.data_key, terminal.tmk, _context(f"tmk:{terminal.serial_number}"))

    def _issued(self, terminal: Terminal, check: MacCheck) -> KeySet:
        sealed = terminal.previous_keys if check is MacCheck.PREVIOUS else terminal.working_keys
        return self._open(terminal.serial_number, sealed)

    def _unseal_set(self, serial_number: str, sealed: bytes) -> KeySet:
        return KeySet.parse(unseal(self.data_key, sealed, _context(f"keys:{serial_number}")))

    def _seal(self, secret: bytes, context: str) -> bytes:
        return seal(self.data_key, self.fresh(NONCE_BYTES), secret, _context(context))


def _context(text: str) -> bytes:
    return text.encode()
