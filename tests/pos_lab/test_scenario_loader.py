"""The scenario language: what it reads, and the one clear error for whatever it does not read."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from host import policy
from host.written import AmountFen, BalanceFen, Count, Digits, DurationS, Flag, amount_fen, duration_s
from pos_lab.scenario.errors import ScenarioErrors
from pos_lab.scenario.loader import ERRORS_MAX, load_scenario
from pos_lab.scenario.model import ResponseCode, Scenario, ScenarioModel, StepList, StepSpec, TerminalRef, Text
from pos_lab.scenario.source import DEPTH_MAX, SIZE_MAX_BYTES
from pos_lab.scenario.steps import STEPS as PLAYED


class Policy(ScenarioModel):
    activation_fen: Count = 10_000


class During(ScenarioModel):
    before_reply: StepList = ()


class Sale(ScenarioModel):
    terminal: TerminalRef
    amount: AmountFen
    card: Literal["debit", "credit"] = "debit"
    during: During | None = None


class SaleExpectation(ScenarioModel):
    outcome: Literal["approved", "refused"]
    code: ResponseCode | None = None
    fee: BalanceFen | None = None


class OneTerminal(ScenarioModel):
    terminal: TerminalRef


class Retire(ScenarioModel):
    after: DurationS
    grace_days: Count
    forced: Flag = False
    batch: Annotated[str, Digits(6)] = "000001"


class Nothing(ScenarioModel):
    pass


async def _run() -> None: ...


STEPS = {
    spec.name: spec
    for spec in (
        StepSpec("chapter", Text, None, "opens a chapter", _run),
        StepSpec("sale", Sale, SaleExpectation, "sells", _run),
        StepSpec("stop", OneTerminal, None, "stops a terminal", _run),
        StepSpec("retire_model", Retire, None, "puts a model on the list", _run),
        StepSpec("pause", Nothing, None, "waits", _run),
    )
}

HEAD = """\
scenario: first life
title: {zh: 一台终端的一生, en: One terminal's whole life}
terminals:
  old: {serial_number: LK00000001, model: PX-E90, firmware: 2.1.0, terminal_id: 10000001, merchant_id: 898000000000001}
  new: {serial_number: LK00000002, model: PX-E90, firmware: 2.1.0, terminal_id: 00000001, merchant_id: 098000000000001}
steps:
"""


def load(tmp_path: Path, content: str | bytes) -> Scenario:
    file = tmp_path / "life.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_scenario(str(file), STEPS, Policy)


def mistakes(tmp_path: Path, content: str | bytes) -> list[str]:
    """The mistakes of a file, each as ``line:column: message (hint)``."""
    with pytest.raises(ScenarioErrors) as caught:
        load(tmp_path, content)
    assert all(error.file == str(tmp_path / "life.yaml") for error in caught.value.errors)
    return [str(error).removeprefix(f"{error.file}:").strip() for error in caught.value.errors]


def test_a_scenario_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A shop's terminal number 00000001 would become 1 and its sale of 60.00 something else."""
    scenario = load(
        tmp_path,
        HEAD
        + """\
  - chapter: {zh: 出厂, en: From order to the counter}
  - sale:
      terminal: old
      amount: 60.00
      during: {before_reply: [{stop: {terminal: new}}]}
    say: It sells.
    expect: {outcome: approved, code: 00, fee: 0.30}
  - retire_model: {after: 90d, grace_days: 90, forced: yes, batch: 012345}
  - pause:
""",
    )
    assert scenario.name == "first life"
    assert scenario.title.told("zh") == "一台终端的一生"
    assert scenario.terminals["new"].terminal_id == "00000001"
    assert scenario.terminals["new"].merchant_id == "098000000000001"
    assert scenario.policy == Policy(activation_fen=10_000)
    assert [(step.verb, step.line, step.column) for step in scenario.steps] == [
        ("chapter", 7, 5),
        ("sale", 8, 5),
        ("retire_model", 14, 5),
        ("pause", 15, 5),
    ]
    chapter, sale, retire, _ = scenario.steps
    assert chapter.arguments == Text(zh="出厂", en="From order to the counter")
    assert sale.say == Text(zh="It sells.", en="It sells.")
    assert isinstance(sale.arguments, Sale)
    assert sale.arguments.amount == 6000
    assert sale.arguments.during is not None
    inner = sale.arguments.during.before_reply
    assert [(step.verb, step.line, step.column) for step in inner] == [("stop", 11, 31)]
    assert inner[0].arguments == OneTerminal(terminal="new")
    assert sale.expect == SaleExpectation(outcome="approved", code="00", fee=30)
    assert retire.arguments == Retire(after=90 * 86_400, grace_days=90, forced=True, batch="012345")


def test_every_mistake_is_reported_in_one_pass(tmp_path: Path) -> None:
    """A tester would correct a file ten times over, once for each mistake."""
    assert mistakes(
        tmp_path,
        """\
scenario: first life
titel: One terminal's whole life
policy: {activation_fen: 10_000}
terminals:
  old: {serial_number: LK00000001, model: PX-E90, firmware: 2.1.0, terminal_id: 1000001, merchant_id: "898000000000001"}
  new: {serial_number: LK00000001, model: PX-E90, firmware: 2.1.0, terminal_id: 10000001, merchant_id: 898000000000001}
steps:
  - sael: {terminal: old, amount: 60.00}
  - sale: {terminal: odl, amount: "60,00", card: debti}
    expect: {outcome: refused, cod: 97}
    expct: {}
  - sale: {terminal: old}
    stop: {terminal: old}
  - stop: {terminal: old}
    expect: {outcome: approved}
  - say: only words
  - stop
  - sale: {terminal: old, amount: 1.00, during: {before_reply: [{stop: {terminal: nwe}}]}}
  - retire_model: {after: 90, grace_days: 9x, forced: maybe, batch: 12}
""",
    ) == [
        "1:1: title: is missing",
        "2:1: unknown key 'titel' (did you mean 'title'?)",
        "3:26: activation_fen: '10_000' is not a whole number such as 90",
        "5:81: terminal_id: '1000001' is not a terminal number of 8 digits or capital letters",
        "6:24: serial_number: 'LK00000001' already belongs to 'old'",
        "8:5: unknown verb 'sael' (did you mean 'sale'?)",
        "9:22: terminal: there is no terminal 'odl' (did you mean 'old'?)",
        "9:35: amount: '60,00' is not an amount in yuan such as 60.00",
        "9:50: card: 'debti' is not one of 'debit' or 'credit' (did you mean 'debit'?)",
        "10:32: unknown key 'cod' (did you mean 'code'?)",
        "11:5: unknown key 'expct' (did you mean 'expect'?)",
        "12:11: amount: is missing",
        "13:5: a second verb, 'stop', in one step (write two steps)",
        "15:5: nothing can be expected of 'stop' (remove 'expect')",
        "16:5: the step has no verb (known here: chapter, pause, retire_model, sale, stop)",
        "17:5: a step is a mapping with one verb (such as '- sale: {terminal: old}')",
        "18:83: terminal: there is no terminal 'nwe' (did you mean 'new'?)",
        "19:27: after: '90' is not a duration such as 30s, 15m, 2h or 90d",
        "19:43: grace_days: '9x' is not a whole number such as 90",
        "19:55: forced: 'maybe' is neither yes nor no",
        "19:69: batch: '12' is not 6 digits",
    ]


def test_errors_have_a_shape_for_machines(tmp_path: Path) -> None:
    """An editor that marks mistakes would not find the place."""
    with pytest.raises(ScenarioErrors) as caught:
        load(
            tmp_path,
            HEAD + "  - sale: {terminal: old, amount: 1.00, during: {before_reply: [{stop: {terminal: ol}}]}}\n",
        )
    assert caught.value.document() == {
        "ok": False,
        "errors": [
            {
                "file": str(tmp_path / "life.yaml"),
                "line": 7,
                "column": 83,
                "path": "steps[0].sale.during.before_reply[0].stop.terminal",
                "message": "terminal: there is no terminal 'ol'",
                "hint": "did you mean 'old'?",
            }
        ],
    }


STEP = HEAD + "  - pause:\n"


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"", "1:1: the file is empty (a scenario starts with 'scenario: its name')"),
        (b"# nothing\n", "1:1: the file is empty (a scenario starts with 'scenario: its name')"),
        ("- a\n", "1:1: a scenario is a mapping (start with 'scenario: …')"),
        ("scenario: x".encode("utf-16"), "1:1: byte 0xFF is not UTF-8 (save the file as UTF-8)"),
        (b"a: 1\nb: \xe4\xb8\xad\xff", "2:5: byte 0xFF is not UTF-8 (save the file as UTF-8)"),
        (b"a: 1\nb: x\x00", "2:5: control character U+0000 (remove it)"),
        ("a: \u202etxet", "1:4: control character U+202E (remove it)"),
        ("a:\n\tb: 1", "2:1: not valid YAML: a tab where a value or a key should start (indent with blanks, not tabs)"),
        ("a: b: c", "1:5: not valid YAML: a second ':' in one line (quote a text that holds ': ')"),
        ('a: "x', "1:6: not valid YAML: the file ends inside a quoted text (close the quotes)"),
        ("[" * 1_000_000, f"1:{DEPTH_MAX + 1}: nested deeper than {DEPTH_MAX} levels"),
        ("- " * 500_000, f"1:{2 * DEPTH_MAX + 1}: nested deeper than {DEPTH_MAX} levels"),
        ('a: "\\UFFFFFFFF"', r"1:1: not valid YAML: an escape stands for no character (such as \U00110000 in a text"),
        ("&a " * 2, "1:1: anchors are not used in scenarios (remove &a)"),
        ("#" * (SIZE_MAX_BYTES + 1), f"the file is larger than {SIZE_MAX_BYTES:,} bytes (split the scenario)"),
        ("#" * SIZE_MAX_BYTES, "1:1: the file is empty (a scenario starts with 'scenario: its name')"),
    ],
)
def test_a_file_that_is_no_scenario_gets_one_clear_error(tmp_path: Path, content: str | bytes, mistake: str) -> None:
    """A wrong file would end in a traceback, or hang the machine it is checked on."""
    assert mistakes(tmp_path, content)[0].startswith(mistake)


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (STEP + "scenario: again\n", "8:1: 'scenario' is written twice (first in line 1)"),
        (STEP.replace("first life", "&a first life"), "1:11: anchors are not used in scenarios (remove &a)"),
        (STEP.replace("first life", "*a"), "1:11: aliases are not used in scenarios (write the value out)"),
        (
            STEP.replace("first life", "!!python/object/apply:os.system [ls]"),
            "1:11: tags are not used in scenarios (remove '!!python/object/apply:os.system')",
        ),
        (
            STEP + "---\nscenario: second\n",
            "8:1: a second document starts here (write each scenario in a file of its own)",
        ),
        ("%YAML 1.1\n---\n" + STEP, "2:1: directives are not used in scenarios (remove the line that starts with %)"),
        (STEP.replace("first life", '"\\e[31m"'), "1:11: the text holds the control character U+001B (remove it)"),
        (STEP.replace("first life", '"\\uD800"'), "1:11: the text holds the control character U+D800 (remove it)"),
        (STEP.replace("first life", ""), "1:1: scenario: is empty"),
        (STEP + "? [a]\n: b\n", "8:3: a key must be a word"),
        (HEAD, "6:1: steps: is empty"),
        (HEAD + "  []\n", "7:3: steps: has no steps"),
        (HEAD + "  - stop:\n", "7:5: terminal: is missing"),
        (HEAD + "  - stop: old\n", "7:11: stop: must be a mapping such as {terminal: …}"),
        (HEAD + "  - chapter: {zh: 出厂}\n", "7:14: en: is missing"),
        (HEAD + "  - sale: {terminal: old, amount: [1]}\n", "7:35: amount: must be a single value"),
        (STEP.replace("  new:", "  New:"), "5:3: 'New' is not a name of small letters, digits and _ such as old"),
        (
            HEAD + "  - sale: {terminal: old, amount: 1, card: 6200000100000008}\n",
            "7:44: card: '620000******0008' is not one of 'debit' or 'credit'",
        ),
    ],
)
def test_one_mistake_is_reported_once_and_where_it_stands(tmp_path: Path, content: str, mistake: str) -> None:
    """A tester would look for a mistake in the wrong line, or a card number would stand in a log."""
    assert mistakes(tmp_path, content) == [mistake]


def test_the_number_of_values_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generated file could keep the checking machine busy for minutes."""
    monkeypatch.setattr("pos_lab.scenario.source.NODES_MAX", 1000)
    found = mistakes(tmp_path, "- a\n" * 1001)
    assert found == ["1000:3: more than 1,000 values (split the scenario)"]


def test_the_number_of_mistakes_is_limited(tmp_path: Path) -> None:
    """A file of another kind would scroll the first mistake off the screen."""
    found = mistakes(tmp_path, HEAD + "  - sael:\n" * 1000)
    assert len(found) == ERRORS_MAX + 1
    assert found[-1].endswith(f"{ERRORS_MAX} mistakes or more; the steps from here on were not looked at")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """A file saved by an editor on Windows would be refused."""
    assert load(tmp_path, b"\xef\xbb\xbf" + STEP.replace("\n", "\r\n").encode()).name == "first life"


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """A mistyped path would make the check wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    cases = {
        str(tmp_path / "absent.yaml"): "there is no such file",
        str(tmp_path): "this is a directory (name a scenario file in it)",
        str(tmp_path / "pipe"): "this is not a regular file (use - to read standard input)",
        "/dev/zero": "this is not a regular file (use - to read standard input)",
        "x" * 5000: "cannot be read: File name too long",
    }
    for path, message in cases.items():
        with pytest.raises(ScenarioErrors) as caught:
            load_scenario(path, STEPS, Policy)
        assert str(caught.value) == f"{path}: {message}"
    with pytest.raises(ScenarioErrors, match="this is not a file name"):
        load_scenario("a\0b", STEPS, Policy)


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario made by another program could not be piped in."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(STEP.encode())))
    scenario = load_scenario("-", STEPS, Policy)
    assert (scenario.name, scenario.file) == ("first life", "<stdin>")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0.00",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1_0",
        "60,00",
        "60.",
        ".5",
        "60.001",
        "1e3",
        "６０",
        "٦٠",
        "007",
        "100000000",
        "1\n",
    ],
)
def test_an_amount_is_written_in_one_way(text: str) -> None:
    """A sale would be booked with another amount than the author meant."""
    with pytest.raises(ValueError, match="amount"):
        amount_fen(text)


@given(st.integers(min_value=1, max_value=9_999_999_999))
def test_amounts_are_read_to_the_fen(fen: int) -> None:
    """A sale would be a fen off."""
    assert amount_fen(f"{fen // 100}.{fen % 100:02d}") == fen


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), ("2h", 7200), ("90d", 7_776_000), ("3650d", 3650 * 86_400)]
)
def test_durations_have_a_unit(text: str, seconds: int) -> None:
    """Ninety days of grace would pass in ninety seconds."""
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "0d", "1.5h", "90D", "d", "-1d", "3651d", "９d", "1d2h"])
def test_other_durations_are_refused(text: str) -> None:
    """A plan would run on another day than the author meant."""
    with pytest.raises(ValueError, match=r"duration|longer"):
        duration_s(text)


def test_models_can_be_made_in_python_too() -> None:
    """A step called from Python would be held to other rules than one in a file."""
    assert Sale(terminal="old", amount=6000).amount == 6000
    with pytest.raises(ValidationError):
        Sale(terminal="old", amount=0)
    with pytest.raises(ValidationError, match="frozen"):
        Text(zh="a", en="b").zh = "c"


CAST = (
    "  till: {{serial_number: LK0000000001, model: {model}, firmware: {firmware},"
    " terminal_id: 10000001, merchant_id: 898000000000001}}\n"
)


@pytest.mark.parametrize(
    ("model", "firmware", "step", "told"),
    [
        (
            "PX-E9O",
            "2.1.0",
            "echo: {terminal: till}",
            "model: there is no model 'PX-E9O' in the catalogue (did you mean 'PX-E90'?)",
        ),
        ("PX-E90", "2.1", "echo: {terminal: till}", "firmware: '2.1' is not a firmware version such as 2.1.0"),
        ("PX-E90", "2.256.0", "echo: {terminal: till}", "firmware: '2.256.0' is not a firmware version such as 2.1.0"),
        ("PX-E90", "2.1.0", "void: {terminal: till, of: first}", "of: no sale before this has the name 'first'"),
    ],
)
def test_what_cannot_be_played_is_no_scenario(tmp_path: Path, model: str, firmware: str, step: str, told: str) -> None:
    """A check that says right to what the run then stumbles over would be believed in the pull request."""
    file = tmp_path / "case.yaml"
    cast = CAST.format(model=model, firmware=firmware)
    file.write_text(f"scenario: case\ntitle: case\nterminals:\n{cast}steps:\n  - {step}\n", encoding="utf-8")
    with pytest.raises(ScenarioErrors) as refused:
        load_scenario(str(file), PLAYED, policy.Policy)
    assert [str(error).split(": ", 1)[1] for error in refused.value.errors] == [told]
