"""Track encryption."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.cipher import SM4, TDES, BlockCipher
from protocol.crypto.track import decrypt_track, encrypt_track, track_window, window_place
from protocol.errors import DecodeError, EncodeError, KeyLoadError
from tests.vectors import shared_vector

TDK = bytes.fromhex("44" * 16)
ODD = "6200000100000004D30122010000012300000"  # 37 digits, the window begins right after the separator
EVEN = "6200000100000004D3012201000001230000"
ciphers = st.sampled_from([TDES, SM4])
tracks = st.text("0123456789D", min_size=1, max_size=104)


@pytest.mark.parametrize(
    ("track", "cipher", "window"),
    [
        (ODD, TDES, ODD[20:36]),
        (EVEN, TDES, EVEN[18:34]),
        (ODD, SM4, ODD[4:36]),
        (EVEN, SM4, EVEN[2:34]),
        ("123456789012345", TDES, "FF12345678901234"),
        ("1234567890123456", TDES, "F123456789012345"),
        ("12345678901234567", TDES, "1234567890123456"),
        ("123456789012345678", TDES, "1234567890123456"),
        ("1", TDES, "F" * 16),
        ("1234567890D", SM4, "F" * 22 + "1234567890"),
    ],
)
def test_window(track: str, cipher: BlockCipher, window: str) -> None:
    """The acquirer would decrypt other digits than the terminal encrypted, and every card would be unknown."""
    assert track_window(track, cipher) == window


def test_shared_window() -> None:
    """A real host would read rubbish where the track is encrypted."""
    vector = shared_vector("track-tdb2")
    assert track_window(vector["hex"]) == vector["expected"]
    start = vector["inputs"]["window_start_digit"]
    assert window_place(vector["inputs"]["length"]) == slice(start, start + vector["inputs"]["window_digits"])


def test_shared_encryption() -> None:
    """A real host would read rubbish where the track is encrypted."""
    vector = shared_vector("track-tdb2-enc")
    key, made = bytes.fromhex(vector["inputs"]["tdk"]), vector["computed"]
    assert encrypt_track(key, vector["hex"]) == made["track"]
    assert made["track"][window_place(len(made["track"]))] == made["enc"]
    assert decrypt_track(key, made["track"]) == vector["hex"]


@given(key=st.binary(min_size=16, max_size=16), track=tracks, cipher=ciphers)
def test_round_trip(key: bytes, track: str, cipher: BlockCipher) -> None:
    """A card with a long or a short track could not be used at a terminal that encrypts."""
    sealed = encrypt_track(key, track, cipher)
    assert len(sealed) == max(len(track), 2 * cipher.block_bytes + 1)
    assert decrypt_track(key, sealed, cipher) == track
    if len(track) > 2 * cipher.block_bytes:
        place = window_place(len(track), cipher)
        assert (sealed[: place.start], sealed[place.stop :]) == (track[: place.start], track[place.stop :])


@pytest.mark.parametrize("track", ["", "1234=5678", "1234 5678", "１２３４", "12345A", "FFFF1234", "1d2"])
def test_what_is_no_track(track: str) -> None:
    """Letters of a misread card would be encrypted and look like a good track."""
    for use in (track_window, lambda text: encrypt_track(TDK, text)):
        with pytest.raises(EncodeError) as caught:
            use(track)
        assert not track or track not in str(caught.value)


@pytest.mark.parametrize("track", ["", "1" * 16, "1" * 17 + "G", "1" * 16 + "=", "1" * 36, ODD])
def test_what_is_no_encrypted_track(track: str) -> None:
    """A track that was sent clear would be taken for another card's."""
    with pytest.raises(DecodeError) as caught:
        decrypt_track(TDK, track)
    assert caught.value.code == "track"
    assert not track or track not in str(caught.value)


def test_key_length_refused() -> None:
    """A track would leave the terminal under an empty key."""
    with pytest.raises(KeyLoadError):
        encrypt_track(b"", ODD)
