"""What the pages say of the device and its application: flows, settings, models, test cards, fault points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_sim.cards import TEST_CARDS, Card, EntryMode
from firmware_sim.environment import ENVIRONMENT
from firmware_sim.faults import FAULT_POINTS, FaultPoint, Hold
from firmware_sim.self_test import GOOD, SELF_TESTS
from host.issuer import ISSUERS, MAGIC_AMOUNTS, WALLETS, WRONG_PINS_MAX, Issuer, find_issuer
from pos_lab.handbook.markdown import Markdown, code, codes, sections, table
from pos_lab.scenario.steps.terminal_steps import FAULTS
from protocol.codes import PARTS
from protocol.crypto.lab_ca import CA_KEYS, REVOKED_SERIAL
from protocol.masking import mask_pan
from protocol.money import yuan
from protocol.responses import response
from terminal.flows import FLOWS
from terminal.settings import Settings

_BOUNDS: Mapping[str, str] = {
    "pattern": "matches {}",
    "exclusiveMinimum": "more than {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
}
"""Keyword of JSON Schema -> how a bound reads."""


def flows() -> str:
    """Every flow and its arguments."""
    return table(
        ("flow", "typed as", "English", "中文"),
        ((code(name), code(flow.usage), flow.english, flow.chinese) for name, flow in FLOWS.items()),
    )


def settings() -> str:
    """Every setting of a terminal."""
    return table(
        ("setting", "value", "default", "meaning"),
        (
            (
                code(name),
                value_of(row),
                code(repr(row["default"])) if "default" in row else "needed",
                row.get("description", ""),
            )
            for name, row in Settings.model_json_schema()["properties"].items()
        ),
    )


def value_of(row: Mapping[str, Any]) -> Markdown:
    """Type and bounds of a property of a JSON Schema, in words."""
    if "enum" in row:
        return Markdown(f"one of {codes(row['enum'])}")
    bounds = (words.format(code(row[keyword])) for keyword, words in _BOUNDS.items() if keyword in row)
    return Markdown(", ".join([str(row["type"]), *bounds]))


def cards() -> str:
    """Every test card, its number masked, and every issuer."""
    test_cards = table(
        ("card", "type", "can be read as", "chip proves itself by", "number", "issuer"),
        (
            (
                code(card.name),
                card.kind.value,
                ", ".join(f"{mode.name.lower()} ({mode.value})" for mode in card.ways),
                _proof(card),
                code(mask_pan(card.pan)),
                issuer.name if (issuer := find_issuer(card.pan)) else "nobody",
            )
            for card in TEST_CARDS.values()
        ),
    )
    issuers = table(
        ("prefix", "issuer", "type", "pays at once, at most, yuan", "abroad", "answers"),
        (
            (code(row.prefix), row.name, row.card_type, yuan(row.limit_fen), row.foreign, _answers(row))
            for row in ISSUERS
        ),
    )
    wallets = table(
        ("prefix", "wallet", "type", "pays at once, at most, yuan", "answers"),
        ((code(row.prefix), row.name, row.card_type, yuan(row.limit_fen), _answers(row)) for row in WALLETS),
    )
    amounts = table(
        ("last two digits, fen", "field 39", "English", "中文"),
        (
            (f"{fen:02d}", code(forced), response(forced).english, response(forced).chinese)
            for fen, forced in MAGIC_AMOUNTS.items()
        ),
    )
    return sections(
        "## Cards",
        "A card is read in the first way that the model knows; `credit:swipe` presents it in another one, and "
        "`credit:insert+swipe` in one after the other.",
        test_cards,
        "## Issuers",
        f"The simulated issuers behind the host. {WRONG_PINS_MAX} wrong PINs one after the other lock a card.",
        issuers,
        "## Wallets",
        "The partners behind the codes that customers show: 16 to 24 digits with one of these prefixes, good once.",
        wallets,
        "## Magic amounts",
        "What the last two digits of an amount force at an issuer that answers by amount; all others are approved.",
        amounts,
    )


def _proof(card: Card) -> str:
    """How a chip proves itself offline, and what is wrong with it."""
    if EntryMode.CHIP not in card.ways and EntryMode.CONTACTLESS not in card.ways:
        return ""
    ca = CA_KEYS[card.ca_index]
    wrong = {
        "a copy without keys": not card.genuine,
        "altered data": card.altered,
        f"CA key {ca.index}, good until {ca.expiry}": card.ca_index != 1 and ca.published,
        f"CA key {ca.index}, published by nobody": not ca.published,
        "a revoked certificate": card.serial == REVOKED_SERIAL,
    }
    return ": ".join([card.proof.value or "nothing", *(told for told, holds in wrong.items() if holds)])


def _answers(row: Issuer) -> Markdown | str:
    """What an issuer says to everybody, where it is not a plain yes."""
    if row.refusal:
        return code(row.refusal)
    forced = "what the number spells" if row.by_number else "what the amount forces" if row.by_amount else ""
    return forced or ("yes, with a script for the chip" if row.script else "")


def faults() -> str:
    """Every point at which traffic and parts can be made to fail, and what makes them fail by chance."""
    points = table(
        ("fault point", "place", "what happens", "armed with", "in a scenario"),
        (
            (code(name), point.place.value, point.what, _armed_with(point), "yes" if name in FAULTS else "")
            for name, point in FAULT_POINTS.items()
        ),
    )
    rates = table(
        ("cause", "fault point", "share of its uses at level 1"),
        ((cause, code(name), f"{rate:.2%}") for cause, row in ENVIRONMENT.items() for name, rate in row.items()),
    )
    return sections(
        "## Points",
        points,
        "## Environment",
        "Where a device stands makes its parts fail by chance. Each cause has a level from 0 to 1; a seed decides.",
        rates,
    )


def self_tests() -> str:
    """What a device finds out about each of its parts."""
    codes_of = {part: digits for digits, part in PARTS.items()}
    return table(
        ("part", "code in a status upload (CUP 3.7)", "result", "what it means"),
        (
            (part, code(codes_of.get(part, "")), code(result), english)
            for part, checks in SELF_TESTS.items()
            for result, english in ((GOOD, ""), *((check.code, check.english) for check in checks))
        ),
    )


def _armed_with(point: FaultPoint) -> str:
    if point.takes(None):
        return "nothing"
    return "a Hold" if point.takes(Hold()) else "a function"
