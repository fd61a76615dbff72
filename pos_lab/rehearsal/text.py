"""A rehearsal on the console: plan, timeline by weeks, ends, checks, verdict; in one language.

Rules owned here: what stands on the console is a part of the document; a long rehearsal is told by at most ROWS_MAX
days, first and last among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from unicodedata import east_asian_width

from pos_lab.rehearsal.wording import CHANNELS_TOLD, LABELS, RULES, STATES_TOLD
from pos_lab.scenario.model import Language
from protocol.money import yuan

ROWS_MAX: Final = 16
_FIGURES: Final = ("swaps", "missed", "refused", "sales", "waiting", "alarms")


def told(document: dict[str, Any], language: Language) -> Iterator[str]:
    """The lines."""

    def label(name: str) -> str:
        return LABELS[name].told(language)

    fleet, plan, totals = document["fleet"], document["plan"], document["totals"]
    room = plan["capacity_a_day"] or label("no_limit")
    yield f"{document['rehearsal']}: {label('seed')} {document['seed']}, {document['days']} {label('days')}"
    yield (
        f"  {fleet['terminals']} {label('terminals')}, {fleet['in_campaign']} {label('in_campaign')}, "
        f"{plan['models']} {label('models')}, {plan['waves']} {label('waves')}, "
        + (f"{plan['first_stop']} … {plan['last_stop']}, " if plan["first_stop"] else "")
        + f"{label('capacity_a_day')} {room}"
    )
    yield (
        f"  {fleet['on_wire']} {label('on_wire')}, {fleet['rows_only']} {label('rows_only')}; "
        f"{fleet['sales_a_day']} {label('sales_a_day')}; {fleet['exchanges']} {label('exchanges')}"
    )
    yield ""
    yield from _timeline(document["timeline"], language)
    yield ""
    yield f"{label('ends')}:"
    for state, count in _states(document["ends"]):
        yield f"  {count:8}  {STATES_TOLD[state].told(language)}"
    by_channel = ", ".join(
        f"{totals[f'notices_{name}']} {told_as.told(language)}" for name, told_as in CHANNELS_TOLD.items()
    )
    yield f"{label('notices')}: {totals['notices']} ({by_channel})"
    yield (
        f"{label('refused')}: {totals['refused']}, {yuan(totals['refused_fen'])}; "
        f"{label('waiting_most_fen')}: {yuan(totals['waiting_most_fen'])} ({totals['waiting_most_day']}); "
        f"{label('missed')}: {totals['missed']}; {label('swapped_after_stop')}: {totals['swapped_after_stop']}"
    )
    yield ""
    for check in document["checks"]:
        mark = "✗" if check["violated"] else "✓"
        yield f"  {mark} {RULES[check['check']].told(language)} ({check['checked']})"
        for violation in check["violations"]:
            yield f"      {violation}"
        if check["violated"] > len(check["violations"]):
            yield f"      … {check['violated'] - len(check['violations'])} {label('more')}"
    yield label("passed" if document["passed"] else "failed")


def _timeline(days: Sequence[dict[str, Any]], language: Language) -> Iterator[str]:
    states = [state for state in STATES_TOLD if any(day[state] for day in days)]
    heads = [LABELS["day"].told(language), *(STATES_TOLD[state].told(language) for state in states)]
    names = {name: LABELS[name].told(language) for name in _FIGURES}
    rows = [[*heads, *names.values()]]
    apart = max(1, -(-(len(days) - 1) // (ROWS_MAX - 1)))
    chosen = [*days[:-1:apart], days[-1]]
    for day in chosen:
        figures = {**day, "waiting": yuan(day["unpaid_fen"] + day["unsettled_fen"])}
        rows.append(
            [str(day["day"]), *(str(day[state]) for state in states), *(str(figures[name]) for name in _FIGURES)]
        )
    widths = [max(_width(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = (" " * (width - _width(cell)) + cell for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(cells)


def _states(ends: dict[str, int]) -> Iterator[tuple[str, int]]:
    return ((state, ends[state]) for state in STATES_TOLD if ends.get(state))


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
