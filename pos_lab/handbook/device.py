"""What the pages say of the device and its application: flows, settings, models, test cards, fault points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_sim.cards import TEST_CARDS
from firmware_sim.faults import FAULT_POINTS, FaultPoint, Hold
from firmware_sim.models import MODELS
from host.issuer import ISSUERS, find_issuer
from pos_lab.handbook.markdown import Markdown, code, codes, sections, table
from pos_lab.scenario.steps.terminal_steps import FAULTS
from protocol.masking import mask_pan
from protocol.money import yuan
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


def models() -> str:
    """The catalogue of devices."""
    return table(
        (
            "model",
            "brand",
            "family",
            "factory firmware",
            "NVRAM, KiB",
            "printer",
            "contactless",
            "SM4",
            "updates in place",
        ),
        (
            (
                code(row.id),
                row.brand,
                row.family.value,
                row.factory_firmware,
                row.nvram_kib,
                row.printer,
                row.contactless,
                row.sm4,
                row.update_in_place,
            )
            for row in MODELS.values()
        ),
    )


def cards() -> str:
    """Every test card, its number masked, and every issuer."""
    test_cards = table(
        ("card", "type", "read by", "number", "issuer"),
        (
            (
                code(card.name),
                card.kind.value,
                f"{card.entry_mode.name.lower()} ({card.entry_mode.value})",
                code(mask_pan(card.pan)),
                issuer.name if (issuer := find_issuer(card.pan)) else "nobody",
            )
            for card in TEST_CARDS.values()
        ),
    )
    issuers = table(
        ("prefix", "issuer", "type", "pays at once, at most, yuan", "abroad", "always refuses with"),
        (
            (code(row.prefix), row.name, row.card_type, yuan(row.limit_fen), row.foreign, code(row.refusal))
            for row in ISSUERS
        ),
    )
    return sections("## Cards", test_cards, "## Issuers", "The simulated issuers behind the host.", issuers)


def faults() -> str:
    """Every point at which traffic can be made to fail."""
    words = {point: word for word, point in FAULTS.items()}
    return table(
        ("fault point", "place", "what happens", "armed with", "`fault` of a scenario's sale"),
        (
            (code(name), point.place.value, point.what, _armed_with(point), code(words.get(name, "")))
            for name, point in FAULT_POINTS.items()
        ),
    )


def _armed_with(point: FaultPoint) -> str:
    if point.takes(None):
        return "nothing"
    return "a Hold" if point.takes(Hold()) else "a function"
