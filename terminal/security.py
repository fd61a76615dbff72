"""What the secure module adds to a request: PIN block, encrypted track, and field 53 which says how (CUP 2.3, 5.3).

Rules owned here: a track goes encrypted where the host gave a track key (CUP 5.6); an SM4 PIN block, 16 bytes, stands
in field 57.
"""

from __future__ import annotations

from protocol.crypto.pinblock import PIN_DIGITS_MAX
from protocol.elements import Value
from protocol.fields import F
from protocol.private.security import SM4_PIN_BYTES, pack_security, pack_sm4_pin
from terminal.session import Session


def security_fields(session: Session, pan: str, track2: str, *, with_pin: bool) -> dict[int, Value]:
    """Track 2, field 53, and the PIN that waits in the secure entry; raises SecureModuleError, EncodeError."""
    module = session.board.secure_module
    encrypts_tracks = bool(track2) and module.encrypts_tracks
    fields: dict[int, Value] = {
        F.TRACK2: module.encrypt_track(track2) if encrypts_tracks else track2,
        F.SECURITY: pack_security(module.algorithm, with_pin=with_pin, encrypts_tracks=encrypts_tracks),
    }
    if with_pin:
        block = module.pin_block(pan)
        fields[F.PIN_CAPTURE] = str(PIN_DIGITS_MAX)
        if len(block) == SM4_PIN_BYTES:
            fields[F.PRIVATE57] = pack_sm4_pin(block)
        else:
            fields[F.PIN_BLOCK] = block
    return fields
