"""What the pages say of the acquirer: gates, refusals, lifecycle, transactions, money, policy, acts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection

from host.admin.acts import ACTS
from host.fees import FEES
from host.gates import GATES
from host.lifecycle import HOLDS, PERMITS
from host.lifecycle import TRANSITIONS as LIFE
from host.policy import Policy
from host.postings import BANK, FEE_INCOME, POSTINGS, SCHEME, payable
from host.refusals import CONTACT, REFUSALS
from host.registration import FIELD_RULES
from host.swap import TRANSITIONS as SWAP
from host.transactions import SIGNS
from host.transactions import TRANSITIONS as HOST_BOOK
from pos_lab.handbook.device import value_of
from pos_lab.handbook.machine import machine
from pos_lab.handbook.markdown import Markdown, block, code, codes, prose, sections, table
from pos_lab.scenario.policy import WrittenPolicy
from protocol.kinds import KINDS
from protocol.money import yuan
from protocol.responses import response
from terminal.backup import LEFT_BEHIND, Backup
from terminal.outcome import LOCAL
from terminal.transaction import JUDGEMENTS, SILENCE, UNRESOLVED, Judgement
from terminal.transaction import TRANSITIONS as TERMINAL_BOOK


def gates() -> str:
    """Every gate in the order in which they are asked."""
    return table(
        ("", "gate", "when", "asked of", "passes unasked"),
        (
            (place, gate.name, gate.stage.value, _kinds(KINDS.keys() - gate.spares), _kinds(gate.spares))
            for place, gate in enumerate(GATES, 1)
        ),
    )


def _kinds(names: Collection[str]) -> Markdown:
    """Names of kinds in the order of KINDS; those that are left out, where they are fewer."""
    chosen = [name for name in KINDS if name in names]
    others = [name for name in KINDS if name not in names]
    if not chosen or not others:
        return Markdown("all" if chosen else "none")
    return codes(chosen) if len(chosen) <= len(others) else Markdown(f"all but {codes(others)}")


def refusals() -> str:
    """Every reason for which the host, or the terminal by itself, says no."""
    by_host = table(
        ("reason", "code", "English", "remedy", "中文", "补救"),
        (
            (code(row.reason), code(row.code), row.english, row.remedy_english, row.chinese, row.remedy_chinese)
            for row in REFUSALS.values()
        ),
    )
    by_terminal = table(
        ("reason", "result", "English", "remedy", "中文", "补救"),
        (
            (code(row.reason), row.result, row.english, row.remedy_english, row.chinese, row.remedy_chinese)
            for row in LOCAL.values()
        ),
    )
    return sections(
        "## By the host",
        f"Words in braces are filled from the case at hand. Help comes from {CONTACT['en']} ({CONTACT['zh']}).",
        by_host,
        "## By the terminal itself",
        by_terminal,
    )


def lifecycle() -> str:
    """The administrative life, what each state may send, and the reasons of a hold."""
    permits = table(("state", "may send"), ((code(state), _kinds(kinds)) for state, kinds in PERMITS.items()))
    holds = table(
        ("rank", "reason", "English", "remedy", "中文", "补救"),
        (
            (row.rank, code(row.reason), row.english, row.remedy_english, row.chinese, row.remedy_chinese)
            for row in HOLDS.values()
        ),
    )
    return sections(
        "## States", machine(LIFE), "## What a state may send", permits,
        "## Holds", "A terminal may have several; a refusal names the gravest, that of the lowest rank.", holds,
        "## Swaps", machine(SWAP), "## What goes along in a swap", _backup(),
    )  # fmt: skip


def _backup() -> str:
    """Every part of a terminal's book: taken along, or why not."""
    rows = [*((code(name), "yes", "") for name in Backup.model_fields), *(
        (code(name), "no", why) for name, why in LEFT_BEHIND.items()
    )]  # fmt: skip
    return table(("part of the terminal's book", "goes along", "why not"), rows)


def transactions() -> str:
    """The life of a transaction in both books, and what a reply does to it."""
    judgements = table(
        ("reply", "MAC", "event", "field 39 of the reversal"),
        [
            *(
                ("approved" if approved else "refused", mac.value, *_judgement(judgement))
                for (approved, mac), judgement in JUDGEMENTS.items()
            ),
            ("none", "", *_judgement(SILENCE)),
        ],
    )
    signs = table(("kind", "adds to the batch's net"), ((code(kind), f"{sign:+d}") for kind, sign in SIGNS.items()))
    unresolved = codes(state for state in TERMINAL_BOOK if state in UNRESOLVED)
    return sections(
        "## In the terminal's book", machine(TERMINAL_BOOK), f"Unresolved, before anything else goes on: {unresolved}.",
        "### What a reply does", "A kind without a reversal is sent again where another one is reversed.", judgements,
        "## In the host's book", machine(HOST_BOOK), "### What a captured row counts", signs,
    )  # fmt: skip


def _judgement(judgement: Judgement) -> tuple[str, str]:
    reason = f"{judgement.reason} ({response(judgement.reason).english})" if judgement.reason else ""
    return judgement.event.value, reason


def money() -> str:
    """How money moves between accounts, and what it costs."""
    postings = table(
        ("counts", "debit", "credit", "amount", "kinds"),
        (
            row
            for sign, moves in POSTINGS.items()
            for row in [(sign, move.debit, move.credit, code(move.amount), _counting(sign)) for move in moves]
            or [(sign, "nothing", "", code(""), _counting(sign))]
        ),
    )
    accounts = {"scheme": SCHEME, "merchant": payable("ID"), "fees": FEE_INCOME, "bank (payouts)": BANK}
    fees = table(
        ("card type", "rate, basis points", "cap, yuan"),
        (
            (code(card_type), rate.rate_bp, "" if rate.cap_fen is None else yuan(rate.cap_fen))
            for card_type, rate in FEES.items()
        ),
    )
    return sections(
        "## Postings", "What is undone is posted the other way round.", postings,
        "### Accounts", table(("role", "account"), ((role, code(account)) for role, account in accounts.items())),
        "## Fees", "A transaction at a time, in fen, rounded half up; a contract begins with these rates.", fees,
    )  # fmt: skip


def _counting(sign: int) -> Markdown:
    """The kinds of one sign; what SIGNS does not have moves nothing."""
    return codes(kind for kind, its in SIGNS.items() if its == sign) if sign else Markdown("all others")


def policy() -> str:
    """Every figure that a tester may choose, as a scenario writes it and as the host holds it."""
    written = WrittenPolicy().as_yaml()
    figures = table(
        ("key", "figure of the host", "value", "default", "meaning"),
        (
            (code(_key(name)), code(name), value_of(row), code(row["default"]), row["description"])
            for name, row in Policy.model_json_schema()["properties"].items()
        ),
    )
    return sections(
        "## As it is written",
        "Under `policy` of a scenario, or in a file for `poslab host --policy`. "
        "Every key may be left out; these are the defaults:",
        block("yaml", written),
        "## Every figure",
        "A figure without a key keeps its default.",
        figures,
    )


def _key(figure: str) -> str:
    """The key that stands for a figure of the host: its name without the unit; nothing where there is none."""
    name = figure.removesuffix("_fen").removesuffix("_s")
    return name if name in WrittenPolicy.model_fields else ""


def acts() -> str:
    """Every administrative act with its arguments, and what a registration form must look like."""
    rows = ((code(name), code(_signature(act)), Markdown(prose(act.__doc__))) for name, act in ACTS.items())
    rules = table(
        ("field", "matches", "English", "中文"),
        ((code(rule.field), code(rule.shape), rule.english, rule.chinese) for rule in FIELD_RULES),
    )
    return sections(
        "On the command line an act is a command of `poslab admin`, with a dash for every underscore; "
        "the clock is moved by `poslab admin clock advance 90d`.",
        table(("act", "arguments", "what it does"), rows),
        "## The registration form",
        rules,
    )


def _signature(act: Callable[..., object]) -> str:
    """Without the desk, which every act gets first."""
    own = list(inspect.signature(act, eval_str=True).parameters.values())[1:]
    return ", ".join(str(parameter).replace("'", '"') for parameter in own)
