"""The host's counters as Prometheus wants them: read when they are scraped, and counted by nobody else."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from host.admin.office import Office


class Counters(Collector):
    """What the tally and the store have counted."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def collect(self) -> Iterator[Metric]:
        """Every metric, as it is now."""
        tally = self._office.tally
        commits, units, waiting = self._office.load
        answers = CounterMetricFamily("poslab_answers", "Answers by kind of request and code", labels=("kind", "code"))
        for (kind, code), count in list(tally.answers.items()):
            answers.add_metric((kind, code), count)
        yield answers
        refusals = CounterMetricFamily("poslab_refusals", "Refusals by reason", labels=("reason",))
        for reason, count in list(tally.refusals.items()):
            refusals.add_metric((reason,), count)
        yield refusals
        for name, about, count in (
            ("repeats", "Answers that were stored ones", tally.repeats),
            ("dropped", "Messages that nobody answers", tally.dropped),
            ("failures", "Requests that the host failed", tally.failures),
            ("idle", "Connections that said nothing for too long", tally.idle),
            ("alarms", "Alarms: barred MACs and clones", tally.alarms),
            ("commits", "Commits of the store", commits),
            ("units", "Units in those commits", units),
        ):
            yield CounterMetricFamily(f"poslab_{name}", about, value=count)
        yield GaugeMetricFamily("poslab_connections", "Terminals that are connected", value=tally.connections)
        yield GaugeMetricFamily("poslab_queue_depth", "Units that wait for the store", value=waiting)
        buckets, total = [], 0
        for bound, count in zip(tally.bounds, tally.latency, strict=True):
            total += count
            buckets.append((bound, total))
        yield HistogramMetricFamily(
            "poslab_latency_seconds", "From request to reply", buckets=buckets, sum_value=tally.latency_sum_s
        )


def exposition(office: Office) -> bytes:
    """The text of a scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Counters(office))
    return generate_latest(registry)
