"""What the pages say of models and of the firmware that runs on them: catalogue, profiles, boot, update, diagnosis."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Final

from firmware_sim.admission import BOOT_RULES, STAGE_RULES
from firmware_sim.boot import BOOT
from firmware_sim.models import MODELS, Model
from firmware_sim.profiles import PROFILES
from pos_lab.handbook.markdown import Markdown, code, codes, sections, table
from pos_lab.scenario.files import shipped
from protocol.diagnosis import SECTIONS
from terminal.outcome import LOCAL

RETIREMENT_LIST: Final = "retirement/models_to_retire.csv"


def models() -> str:
    """The catalogue: who makes each device and how long it may be used, then what it can do."""
    stops = _stops()
    who = table(
        ("model", "brand", "family", "security level", "certificate", "valid until", "to be retired on", "because"),
        (
            (
                code(row.id),
                row.brand,
                row.family.value,
                row.security_level,
                row.certificate,
                row.certificate_expires,
                *stops.get(row.id, ("", "")),
            )
            for row in MODELS.values()
        ),
    )
    what = table(
        (
            "model",
            "factory firmware",
            "behaves as",
            "algorithms",
            "protocol",
            "links",
            "reads",
            "printer",
            "signature pad",
            "battery",
            "display",
            "slot, KiB",
            "NVRAM, KiB",
            "journal format",
            "boot loader",
            "updates in place",
        ),
        (
            (
                code(row.id),
                row.factory_firmware,
                code(row.factory_profile),
                " ".join(sorted(row.algorithms)),
                row.protocol_version,
                " ".join(sorted(row.links)),
                _reads(row),
                row.printer,
                row.signature_pad,
                row.battery,
                f"{row.columns} × {row.lines}",
                row.slot_kib,
                row.nvram_kib,
                row.journal_format,
                row.loader,
                row.update_in_place,
            )
            for row in MODELS.values()
        ),
    )
    return sections(
        f"{len(MODELS)} models, of which {len(stops)} are on the list of those to retire, "
        f"[{RETIREMENT_LIST}](../../scenarios/{RETIREMENT_LIST}).",
        "## Who and how long",
        who,
        "## What it can do",
        what,
    )


def firmware() -> str:
    """How firmware differs, which one runs, and what an image must state."""
    profiles = table(
        (
            "profile",
            "what it does",
            "中文",
            "extensions",
            "SM4",
            "digits of a tag's length",
            "gives up a reversal after",
        ),
        (
            (
                code(name),
                row.english,
                row.chinese,
                row.extensions,
                row.sm4,
                row.tag_length_digits,
                row.reversal_tries or "never",
            )
            for name, row in PROFILES.items()
        ),
    )
    boots = table(
        ("slot 0", "slot 1", "runs", "as", "slots then"),
        (
            (code(first), code(second), f"slot {choice.slot}", choice.outcome.value, codes(choice.then))
            for (first, second), choice in BOOT.items()
        ),
    )
    at_boot = {rule.code for rule in BOOT_RULES}
    rules = table(
        ("rule", "broken, the terminal says", "中文", "also at every boot"),
        (
            (code(rule.code), local.english, local.chinese, rule.code in at_boot)
            for rule in STAGE_RULES
            for local in (LOCAL[f"update.{rule.code}"],)
        ),
    )
    diagnosis = table(
        ("tag", "section", "bytes at most"),
        ((code(tag), section.name, section.bytes_max) for tag, section in SECTIONS.items()),
    )
    return sections(
        "## Profiles",
        "Versions of firmware differ by these rows and by nothing else.",
        profiles,
        "## Boot",
        "What runs after power-on, by the states of both slots. A pair without a row has no firmware in force.",
        boots,
        "## Rules of an image",
        "In order of precedence; the first one that is broken is the reason.",
        rules,
        "## Diagnosis",
        "What a device tells of itself when the host commands it to.",
        diagnosis,
    )


def _stops() -> Mapping[str, tuple[str, str]]:
    """Model -> when and why it is to be retired."""
    with shipped(RETIREMENT_LIST).open(encoding="utf-8", newline="") as file:
        return {row["model"]: (row["stop_date"], row["reason"]) for row in csv.DictReader(file)}


def _reads(model: Model) -> Markdown:
    ways = {"stripe": model.magnetic, "chip": model.chip, "antenna": model.contactless}
    return Markdown(" ".join(way for way, present in ways.items() if present))
