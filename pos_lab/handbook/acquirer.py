"""What the pages say of the acquirer: gates, refusals, lifecycle, transactions, money, policy, acts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import get_args

from pydantic.fields import FieldInfo

from host.activation import READINGS
from host.admin.acts import ACTS
from host.campaign import CAMPAIGN_TRANSITIONS, ITEM_TRANSITIONS, STEP_DAYS
from host.fees import FEES
from host.gates import GATES
from host.holds import HOLDS
from host.lifecycle import PERMITS
from host.lifecycle import TRANSITIONS as LIFE
from host.notices import CHANNELS, FINDINGS, REASONS, TEMPLATES
from host.policy import Policy, Section
from host.postings import BANK, FEE_INCOME, POSTINGS, SCHEME, payable
from host.refusals import CONTACT, REFUSALS
from host.registration import FIELD_RULES, MERCHANT_TYPES, PAPERS
from host.repairs import CAUSES
from host.repairs import TRANSITIONS as REPAIR
from host.rollout import STAGES
from host.swap import TRANSITIONS as SWAP
from host.transactions import SIGNS
from host.transactions import TRANSITIONS as HOST_BOOK
from host.violations import RULES_OF_USE
from pos_lab.handbook.machine import machine
from pos_lab.handbook.markdown import Markdown, block, code, codes, prose, sections, table
from pos_lab.handbook.value import as_written
from pos_lab.policy_file import as_yaml, figures
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
        ("", "gate", "switch", "when", "asked of", "passes unasked"),
        (
            (
                place,
                gate.name,
                code(gate.key),
                gate.stage.value,
                _kinds(KINDS.keys() - gate.spares),
                _kinds(gate.spares),
            )
            for place, gate in enumerate(GATES, 1)
        ),
    )


def _causes() -> str:
    return table(
        ("cause", "中文", "English", "covered"),
        ((code(row.name), row.chinese, row.english, "yes" if row.covers else "no") for row in CAUSES.values()),
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
        ("rank", "reason", "English", "remedy", "中文", "补救", "ends when", "lifted by"),
        (
            (
                row.rank,
                code(row.reason),
                row.english,
                row.remedy_english,
                row.chinese,
                row.remedy_chinese,
                row.release.value,
                codes(row.keepers),
            )
            for row in HOLDS.values()
        ),
    )
    return sections(
        "## States", machine(LIFE), "## What a state may send", permits,
        "## Holds", "A terminal may have several; a refusal names the gravest, that of the lowest rank.", holds,
        "## Repairs", "A device in service is on hold meanwhile; a warranty covers some causes.",
        machine(REPAIR), _causes(),
        "## Swaps", machine(SWAP), "## What goes along in a swap", _backup(),
    )  # fmt: skip


def retirement() -> str:
    """The life of a campaign and of its terminals, and what merchants are told."""
    channels = table(
        ("channel", "English", "中文", "waits for the morning", "partner"),
        (
            (code(row.name), row.english, row.chinese, "yes" if row.disturbs else "no", row.partner)
            for row in CHANNELS.values()
        ),
    )
    texts = table(
        ("template", "English", "中文"), ((code(row.name), row.text_en, row.text_zh) for row in TEMPLATES.values())
    )
    reasons = table(
        ("reason", "English", "中文"), ((code(row.code), row.english, row.chinese) for row in REASONS.values())
    )
    findings = table(
        ("finding", "English", "中文", "makes it none of ours"),
        ((code(row.name), row.english, row.chinese, "yes" if row.grave else "no") for row in FINDINGS.values()),
    )
    rules = table(
        ("rule", "English", "中文"), ((code(row.name), row.english, row.chinese) for row in RULES_OF_USE.values())
    )
    return sections(
        "## A campaign", machine(CAMPAIGN_TRANSITIONS), "## A terminal of a campaign", machine(ITEM_TRANSITIONS),
        f"Notices are due {', '.join(str(days) for days in STEP_DAYS)} days before the stop.",
        "## Channels", channels, "## Texts", texts, "## Reasons", reasons,
        "## What a message is found to be", findings, "## Rules of use", rules,
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
    """Every rule and figure that a tester may choose, section by section, as it is written."""
    return sections(
        "Under `policy` of a scenario, in a file for `poslab host --policy`, or by `poslab admin policy publish`; "
        "`poslab check` says what is wrong with such a file. A running host takes a new version over between two "
        "requests, and every transaction keeps the version under which it was decided.",
        "## As it is written",
        "Every section and key may be left out; these are the defaults:",
        block("yaml", as_yaml(Policy())),
        "## Every section",
        *(_section(name, info) for name, info in Policy.model_fields.items()),
        "## What counts as turnover",
        table(("reading", "meaning"), ((code(name), row.meaning) for name, row in READINGS.items())),
        "## Stages of an update",
        table(("stage", "meaning"), ((code(stage), meaning) for stage, meaning in STAGES.items())),
    )


def _section(name: str, info: FieldInfo) -> str:
    """A section of the policy, or what each row of a list of them says."""
    default = info.get_default(call_default_factory=True)
    model = type(default) if isinstance(default, Section) else get_args(info.annotation)[0]
    defaults = dict(figures(default)) if isinstance(default, Section) else {}
    rows = (
        (code(key), value, code(_plain(defaults.get(key, ""))), meaning) for key, value, meaning in as_written(model)
    )
    about = prose(model.__doc__) + ("" if defaults else " A list; empty by default.")
    return sections(f"### {name}", about, table(("key", "value", "default", "meaning"), rows))


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def acts() -> str:
    """Every administrative act with its arguments, and what a registration form must look like."""
    rows = ((code(name), code(_signature(act)), Markdown(prose(act.__doc__))) for name, act in ACTS.items())
    rules = table(
        ("field", "matches", "English", "中文"),
        ((code(rule.field), code(rule.shape), rule.english, rule.chinese) for rule in FIELD_RULES),
    )
    papers = table(
        ("paper", "reference matches", "English", "中文"),
        ((code(row.kind), code(row.shape), row.english, row.chinese) for row in PAPERS.values()),
    )
    types = table(
        ("type", "papers", "English", "中文"),
        ((code(name), codes(row.papers), row.english, row.chinese) for name, row in MERCHANT_TYPES.items()),
    )
    return sections(
        "On the command line an act is a command of `poslab admin`, with a dash for every underscore; "
        "the clock is moved by `poslab admin clock advance 90d`.",
        table(("act", "arguments", "what it does"), rows),
        "## The registration form",
        rules,
        "## Papers",
        papers,
        "## Types of merchant",
        types,
    )


def _signature(act: Callable[..., object]) -> str:
    """Without the desk, which every act gets first."""
    own = list(inspect.signature(act, eval_str=True).parameters.values())[1:]
    return ", ".join(str(parameter).replace("'", '"') for parameter in own)
