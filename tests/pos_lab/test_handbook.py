"""The handbook: its pages say what the tables say, and the tutorial can be played as it is written."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.admission import STAGE_RULES
from firmware_sim.boot import BOOT
from firmware_sim.cards import TEST_CARDS
from firmware_sim.faults import FAULT_POINTS
from firmware_sim.key_memory import FAIL_COUNTERS
from firmware_sim.key_slots import KEY_SLOTS
from firmware_sim.models import MODELS
from firmware_sim.network import NETWORKS
from firmware_sim.profiles import PROFILES
from host.admin.acts import ACTS
from host.fees import FEES
from host.gates import GATES
from host.holds import HOLDS
from host.issuer import ISSUERS, MAGIC_AMOUNTS
from host.lifecycle import PERMITS
from host.lifecycle import TRANSITIONS as LIFE
from host.policy import Policy, Section, key_of
from host.postings import POSTINGS
from host.refusals import REFUSALS
from host.registration import FIELD_RULES
from host.transactions import SIGNS
from host.transactions import TRANSITIONS as HOST_BOOK
from pos_lab.cli import COMMANDS
from pos_lab.commands.admin import GROUPS
from pos_lab.features import FEATURES
from pos_lab.handbook.folder import REFERENCE, refresh, stale
from pos_lab.handbook.pages import PAGES, reference
from pos_lab.scenario.loader import load_scenario
from pos_lab.scenario.model import CastMember, Document
from pos_lab.scenario.runner import Runner
from pos_lab.scenario.steps import STEPS
from pos_lab.vendor import VENDOR_PUBLIC_KEY
from pos_lab.world import Over
from protocol.checks import luhn_ok
from protocol.crypto.keys import KEY_LAYOUTS
from protocol.diagnosis import SECTIONS
from protocol.fields import FIELDS
from protocol.framing import FRAMINGS
from protocol.header import REQUIREMENTS
from protocol.kinds import KINDS
from protocol.responses import RESPONSES
from protocol.transport.endpoint import FORMS, OPTIONS
from protocol.transport.tls_fault import FAULTS
from terminal.flows import FLOWS
from terminal.line_faults import LINE_FAULTS
from terminal.outcome import LOCAL
from terminal.settings import Settings
from terminal.tamper import ALARMS, MODULE_REFUSALS
from terminal.transaction import TRANSITIONS as TERMINAL_BOOK

ROOT = REFERENCE.parents[1]
FILES = [f"{page}.md" for page in PAGES]

ROWS: dict[str, Iterable[object]] = {
    "fields": FIELDS,
    "kinds": [*KINDS, *(f"{kind}.{way}" for kind in KINDS for way in ("request", "reply"))],
    "responses": RESPONSES,
    "requirements": REQUIREMENTS,
    "endpoints": [*FORMS, *OPTIONS, *FRAMINGS, *FAULTS, *LINE_FAULTS, *NETWORKS],
    "gates": range(1, len(GATES) + 1),
    "refusals": [*REFUSALS, *LOCAL],
    "lifecycle": [*LIFE, *PERMITS, *(row.rank for row in HOLDS.values())],
    "transactions": [*TERMINAL_BOOK, *HOST_BOOK, *SIGNS],
    "money": [*POSTINGS, *FEES],
    "policy": [key_of(name) for part in Section.__subclasses__() if part is not Policy for name in part.model_fields],
    "acts": [*ACTS, *(rule.field for rule in FIELD_RULES)],
    "flows": FLOWS,
    "settings": Settings.model_fields,
    "models": MODELS,
    "firmware": [*PROFILES, *(rule.code for rule in STAGE_RULES), *SECTIONS, *(first for first, _ in BOOT)],
    "cards": [*TEST_CARDS, *(issuer.prefix for issuer in ISSUERS), *(f"{fen:02d}" for fen in MAGIC_AMOUNTS)],
    "faults": FAULT_POINTS,
    "keys": [*KEY_SLOTS, *KEY_LAYOUTS, *FAIL_COUNTERS, *(alarm.name for alarm in ALARMS), *MODULE_REFUSALS],
    "../features": FEATURES,
    "words": [*Document.model_fields, *CastMember.model_fields],
}
"""Page -> what must stand first in one of its rows."""


@cache
def rendered() -> Mapping[str, str]:
    """The pages, by the names of their files."""
    return reference()


def test_every_page_is_looked_at() -> None:
    """A page would show what no test has seen."""
    assert list(rendered()) == ["README.md", *FILES]


def first_cells(page: str) -> list[str]:
    """What stands first in the rows of all tables of a page, in order."""
    return [
        line.split(" | ")[0].strip("| `") for line in rendered()[f"{page}.md"].splitlines() if line.startswith("| ")
    ]


def test_the_pages_are_current() -> None:
    """An integrator would build against fields and refusals that the product no longer has."""
    changed = stale(rendered())
    assert not changed, f"stale in docs/reference: {', '.join(changed)}; refresh with: python -m pos_lab.handbook"


@pytest.mark.parametrize("page", ROWS)
def test_every_row_of_its_tables_is_on_a_page(page: str) -> None:
    """A cashier would be shown a reason that nobody can look up."""
    assert [str(row) for row in ROWS[page] if str(row) not in first_cells(page)] == []


def test_gates_stand_in_the_order_in_which_they_are_asked() -> None:
    """Support would explain a refusal by the wrong gate."""
    gates = [line.split(" | ")[1] for line in rendered()["gates.md"].splitlines() if re.match(r"\| [0-9]", line)]
    assert gates == [gate.name for gate in GATES]


def test_every_figure_of_the_host_is_on_the_policy_page() -> None:
    """A tester would not know a limit by which sales are refused."""
    assert [name for name in Policy.model_fields if f"\n### {name}\n" not in rendered()["policy.md"]] == []


def test_every_transition_is_drawn() -> None:
    """A diagram would hide a way in which a transaction can end."""
    machines: tuple[tuple[str, Mapping[Any, Mapping[Any, Any]]], ...] = (
        ("lifecycle", LIFE),
        ("transactions", TERMINAL_BOOK),
        ("transactions", HOST_BOOK),
    )
    for page, machine in machines:
        for state, row in machine.items():
            for event, following in row.items():
                assert f"    {state} --> {following}: {event}\n" in rendered()[f"{page}.md"]


def test_every_word_has_its_arguments_and_expectations() -> None:
    """The author of a scenario would have to read the code to learn what a word takes."""
    page = rendered()["words.md"]
    for word, spec in STEPS.items():
        section = page.split(f"\n### {word}\n")[1].split("\n#")[0]
        assert spec.summary in section
        for name, info in spec.arguments.model_fields.items():
            assert f"\n| `{info.alias or name}` | " in section
        expected = spec.expectation.model_fields if spec.expectation else {}
        for name in expected:
            assert f"`{name}`" in section.split("Expect: ")[1]
            assert f"\n| `{name}` | " in page.split("\n## Expectations\n")[1]


def test_every_command_is_on_the_command_line_page() -> None:
    """Somebody at a till would not find the command that holds a terminal."""
    page = rendered()["command_line.md"]
    grouped = {act: f"admin {group} {name}" for group, (_, acts) in GROUPS.items() for act, name in acts.items()}
    grouped |= {"clock_advance": "admin clock advance", "publish_policy": "admin policy publish"}
    acts = [grouped.get(act, f"admin {act.replace('_', '-')}") for act in ACTS]
    for command in (*COMMANDS, *acts):
        assert f"\n## poslab {command}\n" in page
        assert f"Usage: poslab {command} " in page


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_at_once_what_it_is_and_where_it_comes_from(page: str) -> None:
    """Somebody would correct a page by hand, and lose the correction."""
    _, _, sentence, *_ = rendered()[f"{page}.md"].splitlines()
    assert sentence.endswith("; generated: do not edit.")
    for source in PAGES[page].sources:
        module = importlib.import_module(source.file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        for table in source.tables:
            assert hasattr(module, table)
            assert f"`{table}`" in sentence
        assert f"[{source.file}]({PAGES[page].root}{source.file})" in sentence


@pytest.mark.parametrize("page", ["README.md", *FILES])
def test_links_lead_somewhere(page: str) -> None:
    """A reader in a hurry would end at nothing."""
    for link, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", rendered()[page]):
        target = (REFERENCE / page).parent / (link or Path(page).name)
        assert target.exists(), link
        if anchor:
            assert f"### {anchor}\n" in rendered()[page].lower()


@pytest.mark.parametrize("page", ["README.md", *FILES])
def test_a_row_has_as_many_cells_as_its_head(page: str) -> None:
    """A pattern with a bar in it would push the remedy under another heading."""
    tables = re.findall(r"(?:^\|.*\n)+", rendered()[page], re.MULTILINE)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.mark.parametrize("page", ["README.md", *FILES])
def test_no_page_shows_a_card_or_a_key(page: str) -> None:
    """A card number in a document would be a card number given away."""
    text = rendered()[page]
    assert [card.name for card in TEST_CARDS.values() if card.pan in text] == []
    assert [
        digits for digits in re.findall(r"(?<![0-9A-Fa-f])[0-9]{16,19}(?![0-9A-Fa-f])", text) if luhn_ok(digits)
    ] == []
    if page != "command_line.md":  # the calculator's examples use keys that protect nothing
        assert re.findall(r"[0-9A-Fa-f]{32,}", text) == []
    assert VENDOR_PUBLIC_KEY.hex() not in text.lower()


def test_a_refresh_writes_what_is_stale_and_removes_what_is_gone(tmp_path: Path) -> None:
    """A page of a table that no longer exists would be believed for years."""
    pages = {"a.md": "new\n", "b.md": "same\n"}
    for name, text in {"a.md": "old\n", "b.md": "same\n", "gone.md": "old\n"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert stale(pages, tmp_path) == ["a.md", "gone.md"]
    assert refresh(pages, tmp_path) == ["a.md", "gone.md"]
    assert {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()} == pages
    assert stale(pages, tmp_path) == []


def tutorial() -> str:
    """The scenario that a reader of docs/scenarios.md has at the end of it."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/scenarios.md").read_text(encoding="utf-8"), re.DOTALL)
    scenario, *additions = blocks
    for addition in additions:
        before = "terminals:" if addition.startswith("policy:") else "  - settle:"
        scenario = scenario.replace(before, addition + before)
    return str(scenario)


async def test_the_tutorial_plays_as_it_is_written(tmp_path: Path) -> None:
    """Whoever learns the language from its page would fail at the first example."""
    file = tmp_path / "my_first.yaml"
    file.write_text(tutorial(), encoding="utf-8")
    scenario = load_scenario(str(file), STEPS, Policy)
    result = await Runner(STEPS, Over.MEMORY, seed=7).run(scenario, lambda told: None)
    assert [(step.line, step.message.en) for step in result.steps if step.verdict != "passed"] == []
