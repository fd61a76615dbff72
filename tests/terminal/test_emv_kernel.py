"""The kernel in front of chips that say what no chip should: nothing is sold, and nothing crashes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.card_reader import ChipLink
from firmware_sim.cards import TEST_CARDS
from firmware_sim.chip_card import ChipCard, ChipMemory, Cryptogram
from firmware_sim.errors import CardError
from firmware_sim.faults import Faults
from firmware_sim.power import Power
from host.issuer import SCRIPT, answer_chip, find_issuer
from protocol.tlv import Node, decode, encode, value_of
from terminal.book import Book
from terminal.chip_objects import KEPT_TAGS, REVERSAL_TAGS, subset, terminal_objects
from terminal.chip_scripts import SCRIPTS_MAX
from terminal.downloads import chip_rules
from terminal.emv_kernel import ChipTransaction, PinRule
from terminal.settings import Settings

CARD = TEST_CARDS["credit"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)
OBJECTS = terminal_objects(
    amount_fen=6000,
    now=NOW,
    serial_number="PXE9000000001",
    unpredictable=b"\1\2\3\4",
    country="156",
    currency="156",
    terminal_type="22",
    capabilities="E068C8",
)
SETTINGS = Settings(terminal_id="10000001", merchant_id="898100000000001")
Changes = Mapping[int, bytes | None]


class OddChip(ChipCard):
    """A chip some of whose objects are others, or missing."""

    def __init__(self, changes: Changes, *, tapped: bool = False) -> None:
        super().__init__(CARD, ChipMemory(), tapped=tapped)
        self.changes = changes

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ("select", "start", "records", "request", "complete"):
            return found

        def odd(*given: Any, **named: Any) -> bytes:
            return encode(_changed(decode(found(*given, **named)), self.changes))

        return odd


def _changed(nodes: tuple[Node, ...], changes: Changes) -> tuple[Node, ...]:
    told = []
    for node in nodes:
        value = changes.get(node.tag, node.octets)
        if node.children:
            told.append(Node(node.tag, _changed(node.children, changes)))
        elif value is not None:
            told.append(Node(node.tag, value))
    return tuple(told)


UNKNOWN_APPLICATION = bytes.fromhex("A0000000030101")
RULES = replace(chip_rules(Book(), SETTINGS), admits=lambda aid: aid != UNKNOWN_APPLICATION)


def link_to(chip: ChipCard, *, tapped: bool = False) -> ChipLink:
    """The contact with a chip."""
    power = Power()
    power.switch_on()
    return ChipLink(power, Faults(), chip, tapped=tapped)


def begin(changes: Changes | None = None, *, tapped: bool = False) -> ChipTransaction:
    """A transaction with an odd chip."""
    return ChipTransaction(
        link_to(OddChip(changes or {}, tapped=tapped), tapped=tapped),
        OBJECTS,
        now=NOW,
        tapped=tapped,
        verify=False,
        rules=RULES,
    )


@pytest.mark.parametrize("tapped", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {0x84: None}, {0x84: b"1"}, {0x50: bytes(17)}, {0x82: b"1"}, {0x5A: None}, {0x5A: b"\x62"}, {0x5A: b"\xaa" * 8},
        {0x57: None}, {0x57: b"\x62" * 8}, {0x57: bytes.fromhex(CARD.pan + "D3012201" + "0" * 22)}, {0x5F24: b"\x30"},
        {0x5F24: b"\xaa" * 3}, {0x5F34: b""},
    ],
    ids=str,
)  # fmt: skip
def test_a_chip_that_tells_no_card(changes: Changes, tapped: bool) -> None:
    """A hostile chip would crash the till, or make it send what no host can read."""
    with pytest.raises(CardError) as odd:
        begin(changes, tapped=tapped)
    assert odd.value.code == "chip_data"


@pytest.mark.parametrize(
    "changes",
    [
        {0x8C: None}, {0x8C: b"\x9f"}, {0x8C: b"\x95"}, {0x9F26: b"1234567"}, {0x9F27: b""}, {0x9F36: None},
        {0x9F10: bytes(33)}, {0x9F10: b""},
    ],
    ids=str,
)  # fmt: skip
def test_a_chip_that_makes_no_request(changes: Changes) -> None:
    """A message would be built that cannot be sent, with a sale in the journal."""
    chip = begin(changes)
    with pytest.raises(CardError) as odd:
        chip.request("000002", with_pin=False)
    assert odd.value.code == "chip_data"


@pytest.mark.parametrize("changes", [{0x8D: None}, {0x8D: b"\x9f\x37"}], ids=str)
def test_a_chip_that_cannot_be_completed_did_not_agree(changes: Changes) -> None:
    """What the chip never agreed to would be sold."""
    chip = begin(changes)
    chip.request("000002", with_pin=False)
    assert not chip.complete(b"", approved=True, answered=True).agreed


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        (bytes(8) + b"\x02\x03", PinRule.REQUIRED),
        (bytes(8) + b"\x42\x03\x1f\x03", PinRule.ASKED),
        (bytes(8) + b"\x1e\x03", PinRule.ASKED),
        (bytes(8), PinRule.ASKED),
        (b"", PinRule.ASKED),
    ],
)
def test_the_first_rule_counts(rules: bytes, rule: PinRule) -> None:
    """A PIN would be asked for that the card does not want, or not be asked for."""
    assert begin({0x8E: rules}).pin is rule


@pytest.mark.parametrize(("qualifiers", "rule"), [(b"", "never"), (b"\x80", "required"), (b"\x40\0", "asked")])
def test_the_qualifiers_of_a_tap_count(qualifiers: bytes, rule: str) -> None:
    """A chip that says nothing would crash the till."""
    assert begin({0x9F6C: qualifiers}, tapped=True).pin.value == rule


def test_strange_lists_are_filled_with_zeros() -> None:
    """A chip that asks for what no terminal has would get nothing, and its cryptogram be wrong."""
    chip = begin({0x8C: bytes.fromhex("9F0206DF7F039A02")})
    seen: list[bytes] = []
    real = chip._link.request

    def request(data: bytes, asked: Cryptogram = Cryptogram.ARQC, *, combined: bool = False) -> bytes:
        seen.append(data)
        return real(data, asked, combined=combined)

    chip._link.request = request  # type: ignore[method-assign]
    chip.request("000002", with_pin=False)
    assert seen == [bytes.fromhex("0000000060000000002603")]


def completed(script: bytes, spoil: Callable[[ChipLink], None] = lambda link: None) -> tuple[bool, str]:
    """How a chip took an approval with scripts: agreed, and the result in hex."""
    chip = begin()
    chip.request("000002", with_pin=True)
    issuer = find_issuer(CARD.pan)
    assert issuer is not None
    told = answer_chip(issuer, CARD.pan, "001", decode(chip.field_55()), "00", approved=True)
    spoil(chip._link)
    done = chip.complete(told + script, approved=True, answered=True)
    if not done.script:
        return done.agreed, ""
    return done.agreed, value_of(decode(bytes.fromhex(done.script)), 0xDF31).hex()


def test_a_card_pulled_out_in_the_script_has_paid() -> None:
    """A sale to which the chip agreed would be reversed for a script."""

    def spoil(link: ChipLink) -> None:
        real = link.complete

        def then_gone(data: bytes, *, approved: bool) -> bytes:
            answer = real(data, approved=approved)
            link.part()
            return answer

        link.complete = then_gone  # type: ignore[method-assign]

    assert completed(SCRIPT, spoil) == (True, "1100000001")


def test_scripts_are_bounded() -> None:
    """An issuer that never stops would make a result that no field 55 can carry."""
    agreed, told = completed(SCRIPT * (SCRIPTS_MAX + 5))
    assert agreed
    assert told == "2000000001" * SCRIPTS_MAX


@pytest.mark.parametrize(
    ("script", "told"),
    [(encode([Node(0x72)]), "2000000000"), (encode([Node(0x72, (Node(0x9F18, b"123456"),))]), "2033343536"), (b"", "")],
)
def test_odd_scripts(script: bytes, told: str) -> None:
    """A script without commands would stop the sale."""
    assert completed(script) == (True, told)


def test_what_is_kept_is_enough_for_a_reversal() -> None:
    """The issuer could not tell which transaction of the card is undone."""
    chip = begin()
    chip.request("000002", with_pin=False)
    kept = decode(bytes.fromhex(chip.kept))
    assert [node.tag for node in kept] == [tag for tag in KEPT_TAGS if tag != 0xDF31]
    assert [node.tag for node in decode(subset(chip.kept, REVERSAL_TAGS))] == [0x95, 0x9F1E, 0x9F10, 0x9F36]
    assert len(chip.field_55()) <= 255


@given(answer=st.binary(max_size=60))
def test_whatever_the_host_puts_into_field_55(answer: bytes) -> None:
    """A host with a fault would crash the till after an approval."""
    chip = begin()
    chip.request("000002", with_pin=False)
    chip.complete(answer, approved=True, answered=True)


@given(st.lists(st.binary(max_size=80), min_size=5, max_size=5), st.booleans())
def test_whatever_a_chip_sends(answers: list[bytes], tapped: bool) -> None:
    """A hostile chip would crash the till."""
    link = link_to(ChipCard(CARD, ChipMemory(), tapped=tapped), tapped=tapped)
    said = iter(answers)
    link._answer = lambda ask: next(said)  # type: ignore[method-assign]
    with pytest.raises(CardError):
        ChipTransaction(link, OBJECTS, now=NOW, tapped=tapped, verify=True, rules=RULES).request(
            "000001", with_pin=False
        )
