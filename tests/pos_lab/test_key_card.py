"""What the depot loads into a device, from a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.secure_module import KeyState
from pos_lab.key_card import KeyCard
from protocol.crypto.keys import check_value, pack_working_keys
from protocol.errors import KeyLoadError
from tests.firmware_sim.secure_bench import HOST_KEY, KEYS, TMK, SecureBench

CARD = {
    "serial_number": "PXE9000000001",
    "model": "PX-E90",
    "terminal_id": "10000001",
    "merchant_id": "898100000000001",
    "tmk": TMK.hex(),
    "check_value": check_value(TMK).hex(),
    "host_public_key": HOST_KEY.hex(),
}
Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A card with changes; None leaves a row out."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "card.json"
        path.write_text(json.dumps({name: value for name, value in (CARD | changes).items() if value is not None}))
        return path

    return write


def bench() -> SecureBench:
    numbers = iter(range(1000))
    return SecureBench(lambda length: bytes([next(numbers) % 256]) * length)


def test_a_card_is_loaded_once(written: Written) -> None:
    """Every start of the terminal would throw its working keys away."""
    module = bench().module
    card = KeyCard.read(written())
    assert card.load(module)
    module.load_working_keys(pack_working_keys(TMK, KEYS))
    assert not card.load(module)
    assert module.key_state is KeyState.WORKING
    assert KeyCard.read(written(tmk="AA" * 16, check_value=None)).load(module)
    assert module.key_state is KeyState.TMK


def test_a_card_without_a_key_brings_the_host_only(written: Written) -> None:
    """A device that gets its master key over the line would need a clear one first."""
    module = bench().module
    card = KeyCard.read(written(tmk=None, check_value=None))
    assert (card.load(module), card.load(module)) == (True, False)
    assert (module.key_state, module.host_public_key) == (KeyState.NONE, HOST_KEY)


def test_a_locked_device_is_unlocked_by_its_card(written: Written) -> None:
    """A device that had bad luck with its line would be lost."""
    module = bench().module
    card = KeyCard.read(written())
    card.load(module)
    while not module.is_locked:
        with pytest.raises(KeyLoadError):
            module.load_working_keys(bytes(40))
    assert card.load(module)
    assert not module.is_locked


def test_an_opened_device_takes_no_card(written: Written) -> None:
    """The program would stop before the journal of the opened device can be read."""
    opened = bench()
    opened.module.tamper()
    assert not KeyCard.read(written()).load(opened.module)


@pytest.mark.parametrize(
    "changes",
    [
        {"tmk": "11" * 8, "check_value": None},
        {"host_public_key": "11"},
        {"host_public_key": None},
        {"tmk": "zz"},
        {"tmk": 1},
        {"serial_number": None},
        {"check_value": "00000000"},
        {"tmk": "22" * 16},
    ],
    ids=str,
)
def test_damaged_cards_are_told(written: Written, changes: dict[str, object]) -> None:
    """A device would be loaded with half a key, and nobody know why it cannot sign on (K3)."""
    with pytest.raises(KeyLoadError) as refused:
        KeyCard.read(written(**changes))
    assert TMK.hex() not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "1", "{"])
def test_files_that_are_no_card(tmp_path: Path, text: str) -> None:
    """The program would end with a traceback."""
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(KeyLoadError, match="no key card"):
        KeyCard.read(path)


def test_the_text_of_a_card_shows_no_key(written: Written) -> None:
    """A log would hold the master key."""
    assert TMK.hex() not in repr(KeyCard.read(written())).lower()
    assert repr(TMK) not in repr(KeyCard.read(written()))
