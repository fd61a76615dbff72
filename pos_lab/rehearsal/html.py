"""A rehearsal as one HTML file: verdict, plan, plots, tables; every figure in it stands in the document."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from pos_lab.page.page import render
from pos_lab.page.plot import Series, bars
from pos_lab.rehearsal.wording import CHANNELS_TOLD, LABELS, RULES, STATES_TOLD
from pos_lab.scenario.model import Language, Text
from protocol.money import yuan

Legend = list[tuple[str, Text]]
STATE_COLOURS: Final = {state: f"c{place % 10}" for place, state in enumerate(STATES_TOLD)}
_HEADLINES: Final = (
    "swaps",
    "notices",
    "refused",
    "refused_fen",
    "waiting_most_fen",
    "missed",
    "swapped_after_stop",
    "alarms",
)


def html_report(document: dict[str, Any], language: Language = "en") -> str:
    """The page; ``language`` is shown first, a switch in the page shows the other."""
    return render(
        Path(__file__).parent,
        "rehearsal.html.j2",
        "rehearsal.css",
        filters={"shown": _shown},
        language=language,
        labels=LABELS,
        told=document,
        headlines=[(name, document["totals"][name]) for name in _HEADLINES],
        rules=RULES,
        states=[state for state in STATES_TOLD if any(day[state] for day in document["timeline"])],
        states_told=STATES_TOLD,
        channels=CHANNELS_TOLD,
        colours=STATE_COLOURS,
        plots=_plots(document, language),
    )


def _plots(document: dict[str, Any], language: Language) -> list[tuple[str, Legend, Markup]]:
    """Label, legend and picture of each plot."""
    days, hours = document["timeline"], document["hours"]
    labels, spans = [day["day"] for day in days], [row["hour"] for row in hours]
    present = [state for state in STATES_TOLD if any(day[state] for day in days)]

    def drawn(
        label: str, rows: list[dict[str, Any]], names: list[str], legend: Legend, over: list[str], **more: Any
    ) -> tuple[str, Legend, Markup]:
        series = [
            Series(colour, text.told(language), [row[name] for row in rows])
            for name, (colour, text) in zip(names, legend, strict=False)
        ]
        return label, legend, bars(over, series, title=LABELS[label].told(language), **more)

    states = [(STATE_COLOURS[state], STATES_TOLD[state]) for state in present]
    channels = [(f"c{place}", text) for place, text in enumerate(CHANNELS_TOLD.values())]
    swaps = [("c5", LABELS["swaps"]), ("c8", LABELS["missed"])]
    limited = any(hour["capacity"] for hour in hours)
    room: Legend = [("limit", LABELS["capacity"])] if limited else []
    limit = [hour["capacity"] for hour in hours] if limited else []
    return [
        drawn("timeline", days, present, states, labels),
        drawn("notices_a_day", days, [f"notices_{name}" for name in CHANNELS_TOLD], channels, labels),
        drawn("swaps_an_hour", hours, ["swaps", "missed"], [*swaps, *room], spans, limit=limit),
        drawn("lost_sales", days, ["refused"], [("c4", LABELS["refused"])], labels),
        drawn(
            "money", days, ["unsettled_fen", "unpaid_fen"],
            [("c1", LABELS["unsettled_fen"]), ("c2", LABELS["unpaid_fen"])], labels, shown=yuan,
        ),
    ]  # fmt: skip


def _shown(value: Any, name: str) -> str:
    return yuan(value) if name.endswith("_fen") else str(value)
