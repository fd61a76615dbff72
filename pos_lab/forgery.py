"""A forger between host and terminal, as strong as one can be who lacks only the host's signing key.

It answers the fetch of commands with a notice of its own, signed by itself, under the right MAC; what else the host had
put into its answer stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from protocol.codec import MacMaker, seal, unseal
from protocol.command import RemoteCommand, sign_command
from protocol.errors import DecodeError
from protocol.fields import F
from protocol.kinds import identify
from protocol.private import pack_tags, unpack_tags

_FORGERS_KEY: Final = hashlib.sha256(b"pos-lab forger").digest()
FORGED: Final = "forged"
_DAY_S: Final = 86_400


def is_fetch_reply(payload: bytes) -> bool:
    """Is this the host's answer to the fetch of commands?"""
    try:
        identity = identify(unseal(payload).message)
    except DecodeError:
        return False
    return identity is not None and str(identity) == "command_fetch.reply"


def forge_reply(serial_number: str, mac: MacMaker, now_s: int) -> Callable[[bytes], bytes]:
    """What makes of a fetch's reply one that carries a forged notice: stop at once, and pay to go on."""
    body = {
        "title_zh": "紧急停用通知",
        "title_en": "Urgent stop",
        "text_zh": "终端将停用，请立即转账保证金。",
        "text_en": "The terminal stops unless a deposit is paid at once.",
        "reason": FORGED,
        "stop_at": "2099-01-01",
    }
    command = RemoteCommand("notice", serial_number, 1_000_000, now_s, now_s + _DAY_S, body)
    document = sign_command(command, _FORGERS_KEY)

    def replace_reply(payload: bytes) -> bytes:
        message = unseal(payload).message
        told = unpack_tags(message.octets(F.PAYLOAD), field=F.PAYLOAD) if message.has(F.PAYLOAD) else {}
        tags = pack_tags((told | {"CM": document}).items())
        forged = message.with_fields({F.RESPONSE_CODE: "00", F.PAYLOAD: tags})
        return seal(forged, mac)

    return replace_reply
