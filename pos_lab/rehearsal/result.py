"""What a rehearsal came to, as one document, and the same as CSV tables: no number is told anywhere that is not here.

Rules owned here: TABLE TABLES_OF, which lists of the document are CSV files; nothing in it depends on the machine, the
day or how long it took, so that the same seed gives the same bytes.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from host.errors import AdminError
from host.policy import DAY_S
from host.written import CHINA_TIME
from pos_lab.rehearsal.examination import Check, examine
from pos_lab.rehearsal.fleet import Shop, build
from pos_lab.rehearsal.office import Office
from pos_lab.rehearsal.plan import Listed, Rehearsal
from pos_lab.rehearsal.play import HOUR_S, Play
from pos_lab.rehearsal.till import Unexpected
from pos_lab.sim.chance import Streams

Document = dict[str, Any]
_HOUR: Final = ("hour", "swaps", "missed", "capacity")
_SUMMED: Final = ("swaps", "missed", "losses", "read", "sales", "sales_fen", "refused", "refused_fen", "alarms")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ``document`` of a rehearsal, and its ``checks``."""

    document: Document
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Does every check hold?"""
        return all(check.passed for check in self.checks)


def rehearse(rehearsal: Rehearsal, models: Listed, seed: int, told: Callable[[int], None]) -> Outcome:
    """Play one rehearsal; ``told`` hears the number of each day that is over.

    Raises AdminError where the host does not take the plan, or does not let a till sign on.
    """
    with _begun(rehearsal, models, seed) as play:
        play.live(told)
        checks = tuple(examine(play))
        return Outcome(_document(play, models, seed, checks), checks)


def validate(rehearsal: Rehearsal, models: Listed) -> None:
    """Set one up to the morning of its first day, and play nothing of it. Raises what ``rehearse`` does."""
    with _begun(rehearsal, models, seed=0):
        pass


@contextmanager
def _begun(rehearsal: Rehearsal, models: Listed, seed: int) -> Iterator[Play]:
    if rehearsal.fleet.successor in models.names:
        raise AdminError(
            f"{rehearsal.fleet.successor} is on the list itself", hint="another successor", code="successor"
        )
    streams = Streams(seed)
    office = Office(streams.of("host").randbytes, rehearsal.policy, rehearsal.begins_at)
    try:
        play = Play(office, rehearsal, models, _built(office, rehearsal, models, streams), streams)
        play.begin()
        yield play
    finally:
        office.close()


def _built(office: Office, rehearsal: Rehearsal, models: Listed, streams: Streams) -> list[Shop]:
    try:
        return build(office, rehearsal, models, streams)
    except Unexpected as error:
        hint = "the rules must let the tills of the first day sign on"
        raise AdminError(str(error), hint=hint, code="sign_on") from None


def tables(document: Document) -> dict[str, str]:
    """The CSV files of a document by name."""
    return {name: _csv(rows(document), _HEADS.get(name, ())) for name, rows in TABLES_OF.items()}


def _document(play: Play, models: Listed, seed: int, checks: tuple[Check, ...]) -> Document:
    rehearsal, days = play.rehearsal, [day.row() for day in play.chronicle.days]
    return {
        "passed": all(check.passed for check in checks),
        "rehearsal": rehearsal.rehearsal,
        "seed": seed,
        "begins": days[0]["day"],
        "days": rehearsal.days,
        "fleet": _fleet(play),
        "plan": _plan(play, models),
        "totals": _totals(play, days),
        "ends": dict(play.chronicle.days[-1].states),
        "behaviours": _behaviours(play),
        "timeline": days,
        "hours": _hours(play),
        "checks": [
            {"check": check.name, "checked": check.checked, "violated": check.violated, "violations": check.violations}
            for check in checks
        ],
    }


def _fleet(play: Play) -> Document:
    fleet, shops = play.rehearsal.fleet, play.shops
    on_wire = sum(1 for shop in shops if shop.till)
    sellers = sum(1 for shop in shops if shop.till and shop.behaviour.sells)
    return {
        "terminals": len(shops),
        "in_campaign": len(play.planned),
        "merchants": len({shop.merchant_id for shop in shops}),
        "on_wire": on_wire,
        "rows_only": len(shops) - on_wire,
        "selling": sellers,
        "sales_a_day": fleet.sales,
        "exchanges_a_day": round(play.chronicle.exchanges / play.rehearsal.days, 1),
        "exchanges": play.chronicle.exchanges,
    }


def _plan(play: Play, models: Listed) -> Document:
    course, overview = play.rehearsal.plan, play.overview
    stops = sorted(plan.stop_at for plan in play.planned.values())
    return {
        "models": overview["models"],
        "files": list(models.files),
        "models_in_fleet": len(overview["by_model"]),
        "models_unknown": len(overview["unknown"]),
        "waves": course.waves,
        "by_wave": {str(wave): count for wave, count in overview["by_wave"].items()},
        "first_stop": _day(stops[0]) if stops else "",
        "last_stop": _day(stops[-1]) if stops else "",
        "grace_days": course.grace_s // DAY_S,
        "suspend_days": course.suspend_s // DAY_S,
        "capacity_a_day": play.rehearsal.capacity,
        "capacity_an_hour": _capacity_an_hour(play),
    }


def _totals(play: Play, days: list[Document]) -> Document:
    sums: Counter[str] = Counter()
    for row in days:
        for name, value in row.items():
            if name in _SUMMED or name.startswith("notices_"):
                sums[name] += value
    after = sum(1 for shop in play.shops if shop.swapped_at and _ended_before(play, shop))
    peak = max(days, key=lambda row: row["unpaid_fen"] + row["unsettled_fen"])
    notices = {name: sums[name] for name in days[0] if name.startswith("notices_")}
    return {
        **{name: sums[name] for name in _SUMMED},
        **notices,
        "notices": sum(notices.values()),
        "swapped_after_stop": after,
        "exempt": sum(1 for shop in play.shops if shop.exempt),
        "refusals": dict(sorted(play.chronicle.refusals.items())),
        "waiting_most_fen": peak["unpaid_fen"] + peak["unsettled_fen"],
        "waiting_most_day": peak["day"],
        "waiting_at_end_fen": days[-1]["unpaid_fen"] + days[-1]["unsettled_fen"],
    }


def _ended_before(play: Play, shop: Shop) -> bool:
    """Was it suspended or stopped before its swap?"""
    plan = play.planned.get(shop.serial_number)
    return plan is not None and shop.swapped_at >= (plan.suspend_at or plan.stop_at)


def _behaviours(play: Play) -> list[Document]:
    told = []
    for behaviour in play.rehearsal.behaviours:
        shops = [shop for shop in play.shops if shop.behaviour is behaviour and shop.serial_number in play.planned]
        told.append(
            {
                "behaviour": behaviour.name,
                "terminals": len(shops),
                "read_a_notice": sum(shop.knows for shop in shops),
                "missed": sum(shop.missed for shop in shops),
                "swapped": sum(bool(shop.swapped_at) for shop in shops),
                "swapped_after_stop": sum(bool(shop.swapped_at) and _ended_before(play, shop) for shop in shops),
                "lost": sum(bool(shop.lost_at) for shop in shops),
                "exempt": sum(shop.exempt for shop in shops),
            }
        )
    return told


def _hours(play: Play) -> list[Document]:
    room = _capacity_an_hour(play)
    rows = [
        (f"{datetime.fromtimestamp(at, CHINA_TIME):%Y-%m-%d %H:00}", counts["swaps"], counts["missed"], room)
        for at, counts in sorted(play.chronicle.hours.items())
    ]
    return [dict(zip(_HOUR, row, strict=True)) for row in rows]


def _capacity_an_hour(play: Play) -> int:
    """Appointments are spread over the window; 0 where there is no limit."""
    return -(-play.rehearsal.capacity * HOUR_S // play.office.policy.retirement.window_s)


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, CHINA_TIME):%Y-%m-%d}"


def _facts(document: Document) -> list[Document]:
    """Everything that is one number or word, by a dotted name."""

    def flat(prefix: str, value: Any) -> list[Document]:
        if isinstance(value, dict):
            return [row for name, inner in value.items() for row in flat(f"{prefix}.{name}" if prefix else name, inner)]
        return [] if isinstance(value, list) else [{"name": prefix, "value": value}]

    return flat("", document)


def _checks(document: Document) -> list[Document]:
    return [{**row, "violations": "; ".join(row["violations"])} for row in document["checks"]]


TABLES_OF: Final[Mapping[str, Callable[[Document], list[Document]]]] = MappingProxyType(
    {
        "summary.csv": _facts,
        "timeline.csv": lambda document: list(document["timeline"]),
        "hours.csv": lambda document: list(document["hours"]),
        "behaviours.csv": lambda document: list(document["behaviours"]),
        "checks.csv": _checks,
    }
)


_HEADS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"hours.csv": _HOUR})
"""The columns of a table that may have no row."""


def _csv(rows: list[Document], heads: tuple[str, ...]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0] if rows else heads)
    writer.writerows([[_cell(value) for value in row.values()] for row in rows])
    return out.getvalue()


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula (invariant P3)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
