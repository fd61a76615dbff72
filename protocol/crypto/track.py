"""Track encryption: one window of field 35 or 36 under the track key (CUP 5.6).

Rules owned here: where the window lies. Of the track in packed digits the last byte is skipped, and the block before it
is the window: with n digits [n-17, n-1) for odd n, [n-18, n-2) for even n; under SM4 it is 32 digits long. A track
shorter than that is first filled with F on the left. What is outside the window stays clear, so that the PAN can be
read. No error text carries a digit of a track.
"""

from __future__ import annotations

import re
from typing import Final

from protocol.crypto.cipher import TDES, BlockCipher
from protocol.crypto.key import TrackKey
from protocol.errors import DecodeError, EncodeError

TRACK2_CHARACTERS: Final = 40
TRACK3_CHARACTERS: Final = 107
"""What a card holds, with sentinels and check (ISO/IEC 7811-6); fields 35 and 36 carry three characters less."""

_CLEAR: Final = re.compile(r"[0-9D]+")
_CIPHERED: Final = re.compile(r"[0-9A-F]+")
_FILLER: Final = "F"


def window_place(track_digits: int, cipher: BlockCipher = TDES) -> slice:
    """Return where the window lies in a track of so many digits, filled ones counted (CUP 5.6)."""
    end = track_digits - (1 if track_digits % 2 else 2)
    return slice(end - 2 * cipher.block_bytes, end)


def track_window(track: str, cipher: BlockCipher = TDES) -> str:
    """Return the digits of a clear track, "D" its separator, that are encrypted (CUP 5.6); raises EncodeError."""
    filled = _filled(track, cipher)
    return filled[window_place(len(filled), cipher)]


def encrypt_track(tdk: TrackKey, track: str, cipher: BlockCipher = TDES) -> str:
    """Return ``track`` with its window encrypted in place; shorter ones come back filled to 17 digits, 33 under SM4.

    Raises EncodeError on anything but digits and "D", KeyLoadError (CUP 5.6).
    """
    filled = _filled(track, cipher)
    place = window_place(len(filled), cipher)
    window = cipher.encryptor(tdk, TrackKey.use)(bytes.fromhex(filled[place]))
    return filled[: place.start] + window.hex().upper() + filled[place.stop :]


def decrypt_track(tdk: TrackKey, track: str, cipher: BlockCipher = TDES) -> str:
    """Return the clear track of what ``encrypt_track`` made (CUP 5.6).

    Raises DecodeError "track" on a track that is too short to hold a window, or that is none under this key.
    """
    if _CIPHERED.fullmatch(track) is None or len(track) <= 2 * cipher.block_bytes:
        raise DecodeError("not a track with an encrypted window", code="track")
    place = window_place(len(track), cipher)
    window = cipher.decryptor(tdk, TrackKey.use)(bytes.fromhex(track[place])).hex().upper()
    clear = (track[: place.start] + window + track[place.stop :]).lstrip(_FILLER)
    if _CLEAR.fullmatch(clear) is None:
        raise DecodeError("not a track under this key", hint="another track key than the terminal used", code="track")
    return clear


def _filled(track: str, cipher: BlockCipher) -> str:
    if _CLEAR.fullmatch(track) is None:
        raise EncodeError("a track has digits and D only", hint="write D for the separator")
    return track.rjust(2 * cipher.block_bytes + 1, _FILLER)
