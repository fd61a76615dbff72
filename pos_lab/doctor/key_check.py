"""Why the working keys of a sign-on reply are not accepted: field 62 opened in every way under a known master key.

Rules owned here: TABLE MASTER_KEYS, the parts of a master key that people take by mistake. No key is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pos_lab.doctor.hypothesis import Hypothesis
from pos_lab.doctor.symptom import Finding
from protocol.crypto.cipher import SM4, TDES, BlockCipher
from protocol.crypto.keys import open_keys
from protocol.errors import EncodeError, KeyLoadError
from protocol.fields import F

SIGN_ON_REPLY: Final = "0810"
MASTER_KEYS: Final[tuple[tuple[str, Callable[[bytes], bytes]], ...]] = (
    ("", lambda key: key),
    ("the left half", lambda key: key[:8]),
    ("the right half", lambda key: key[8:16]),
    ("the swapped halves", lambda key: key[8:16] + key[:8]),
)
"""Name, and the key made of the one that was given."""


def check_keys(hypothesis: Hypothesis, tmk: bytes) -> Finding | None:
    """What the check values of a sign-on reply say under ``tmk``; None for a message that carries no keys."""
    field62 = hypothesis.message.octets(F.PAYLOAD)
    if hypothesis.walk.mti != SIGN_ON_REPLY or not field62:
        return None
    place = next(place for place in hypothesis.walk.places if place.number == F.PAYLOAD)
    at = hypothesis.body_at + place.value_at
    wrong = _wrong(tmk, field62, TDES)
    if wrong is None:
        return Finding("keys_layout", at, F.PAYLOAD, len(field62))
    if not wrong:
        return Finding("kcv_right", at, F.PAYLOAD, name="3DES")
    for cipher in (TDES, SM4):
        for name, part in MASTER_KEYS if len(tmk) == 16 else MASTER_KEYS[:1]:
            if _wrong(part(tmk), field62, cipher) == []:
                code = "kcv_other_key" if name else "kcv_other_cipher"
                return Finding(code, at, F.PAYLOAD, name=name or cipher.name.lower())
    return Finding("kcv_wrong", at, F.PAYLOAD, name=", ".join(wrong))


def _wrong(tmk: bytes, field62: bytes, cipher: BlockCipher) -> list[str] | None:
    """Uses of the keys whose check value differs; None where field 62 has no layout, or none under this cipher."""
    try:
        return [each.key.use.value for each in open_keys(tmk, field62, cipher) if not each.is_right]
    except (KeyLoadError, EncodeError):
        return None
