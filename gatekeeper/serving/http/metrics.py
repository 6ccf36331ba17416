"""Prometheus metrics of the server, merged over its processes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from gatekeeper.serving.http.counters import BUCKETS, Counts
from gatekeeper.serving.http.replies import Reply
from gatekeeper.serving.http.worker_state import Gauges, Snapshot
from gatekeeper.serving.ladder import ORDER_OF_TRUST

NEVER = float("inf")


def exposition(snapshots: Sequence[Snapshot], workers: int) -> Reply:
    """The metrics of all processes in Prometheus' text format. `workers`: the configured number of processes."""
    registry = CollectorRegistry()
    registry.register(_Merged(snapshots, workers))
    return Reply(200, generate_latest(registry), CONTENT_TYPE_LATEST.encode())


class _Merged:
    """Counters add up; gauges take the worst process, so that an alert does not depend on which one answers."""

    def __init__(self, snapshots: Sequence[Snapshot], workers: int) -> None:
        self._counts = Counts()
        for one in snapshots:
            self._counts.add(one.counts)
        self._live = [one.gauges for one in snapshots if one.gauges is not None]
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Every metric, in prometheus_client's types."""
        yield _gauge("workers", "Processes that answer.", len(self._live))
        yield _gauge("workers_wanted", "Configured number of processes.", self._workers)
        yield from self._model()
        yield from self._registry()
        yield from self._log()
        yield from self._memory()
        yield from self._traffic()
        yield from self._health()

    def _model(self) -> Iterator[Metric]:
        live = self._live
        info = GaugeMetricFamily(
            "gatekeeper_model_info",
            "Number of processes that answer with this model.",
            labels=["model_id", "version", "sha256"],
        )
        for labels in sorted({_labels(one) for one in live if one.model_id is not None}):
            info.add_metric(labels, sum(_labels(one) == labels for one in live))
        yield info
        ages = [one.model_age for one in live if one.model_age is not None]
        if ages:
            yield _gauge("model_age_seconds", "Time since the answering model was registered; the oldest.", max(ages))
        yield _gauge("ready", "1 if every process has a model.", all(one.model_id is not None for one in live))
        yield _gauge(
            "degraded", "1 if a process answers with another model than the primary, or none.", _any(live, "degraded")
        )
        yield _gauge(
            "ladder_step",
            "Place of the answering model in the order of trust: 1 primary, 2 blob, 3 last_served, 4 earlier_primary, "
            "5 newest_passed, 6 none; the worst.",
            max((ORDER_OF_TRUST.index(one.fallback) + 1 for one in live), default=len(ORDER_OF_TRUST)),
        )
        yield _counter("load_failures", "Refused models, by reason.", "reason", self._counts.failures)

    def _registry(self) -> Iterator[Metric]:
        live = self._live
        yield _gauge(
            "registry_lag_seconds",
            "How long the answering model has been behind the registry, or the registry unreachable; the longest.",
            max((one.lag for one in live), default=0.0),
        )
        for name, about in (
            ("generation", "Generation of the registry (number of promotions), as last seen"),
            ("served_generation", "Generation whose primary answers"),
        ):
            seen = [getattr(one, name) for one in live if getattr(one, name) is not None]
            if seen:
                yield _gauge(name, f"{about}; the lowest.", min(seen))
        verdicts = [NEVER if one.verdict_age is None else one.verdict_age for one in live]
        yield _gauge(
            "last_verdict_age_seconds",
            "Time since the weekly run last judged a model; +Inf if it never did, as far as is known.",
            min(verdicts, default=NEVER),
        )

    def _log(self) -> Iterator[Metric]:
        live, counts = self._live, self._counts
        yield _gauge("log_backlog_lines", "Lines that wait for the database.", sum(one.backlog for one in live))
        yield _gauge("log_backlog_bytes", "Bytes that wait on the spool.", sum(one.backlog_bytes for one in live))
        flushed = [NEVER if one.flush_age is None else one.flush_age for one in live]
        yield _gauge(
            "log_flush_age_seconds",
            "Time since no line waited for the database; the longest; +Inf if there was no such time yet.",
            max(flushed, default=NEVER),
        )
        yield _counter("log_dropped", "Decisions and outcomes that the spool could not take.", None, counts.dropped)
        yield _counter("outcomes_rejected", "Outcomes refused for good, kept in rejected.jsonl.", None, counts.rejected)
        yield _counter("log_torn", "Incomplete lines of killed processes.", None, counts.torn)
        yield _counter(
            "idea_conflicts",
            "Decisions that differ from the logged one of the same idea; gatekeeper_conflict has them.",
            None,
            counts.conflicts,
        )
        yield _counter("ideas_unlogged", "Ideas answered with logged: false.", None, counts.unlogged)

    def _memory(self) -> Iterator[Metric]:
        live, counts = self._live, self._counts
        yield _gauge(
            "idea_memory_ids", "Idea ids whose first decision is remembered.", max((one.ids for one in live), default=0)
        )
        ages = [one.oldest_id for one in live if one.oldest_id is not None]
        if ages:
            yield _gauge("idea_memory_age_seconds", "Time since the oldest remembered id came.", max(ages))
        yield _gauge(
            "idea_memory_degraded",
            "1 if a process can't use the memory of idea ids, or it isn't filled: a repeated idea may be decided anew.",
            _any(live, "forgetful"),
        )
        yield _counter("ideas_repeated", "Ideas answered with their first decision.", None, counts.repeated)
        yield _counter("ideas_reused", "Ideas refused, since their id belongs to another one.", None, counts.reused)

    def _traffic(self) -> Iterator[Metric]:
        counts = self._counts
        requests = CounterMetricFamily("gatekeeper_requests", "Answers, by status.", labels=["path", "status"])
        for path, statuses in sorted(counts.requests.items()):
            for status, count in sorted(statuses.items()):
                requests.add_metric([path, str(status) if status else "gone"], count)
        yield requests
        durations = HistogramMetricFamily("gatekeeper_request_seconds", "Time from request to answer.", labels=["path"])
        for path, duration in sorted(counts.durations.items()):
            edges = [*map(str, BUCKETS), "+Inf"]
            durations.add_metric([path], list(zip(edges, accumulate(duration.counts), strict=True)), duration.total)
        yield durations
        decisions = CounterMetricFamily(
            "gatekeeper_decisions",
            "Ideas decided; after 100 symbols, the symbol is other.",
            labels=["symbol", "decision"],
        )
        for symbol, (approved, vetoed) in sorted(counts.decisions.items()):
            decisions.add_metric([symbol, "approve"], approved)
            decisions.add_metric([symbol, "veto"], vetoed)
        yield decisions
        yield _counter("ideas_unscored", "Ideas decided without a score.", None, counts.unscored)

    def _health(self) -> Iterator[Metric]:
        live, counts = self._live, self._counts
        ages = GaugeMetricFamily(
            "gatekeeper_loop_age_seconds",
            "Time since a background loop last finished a turn; the longest of all processes.",
            labels=["loop"],
        )
        for name in sorted({name for one in live for name in one.loops}):
            ages.add_metric([name], max(one.loops[name] for one in live if name in one.loops))
        yield ages
        yield _counter("loop_failures", "Failed turns of a background loop.", "loop", counts.loop_failures)
        yield _gauge("connections", "Open connections.", sum(one.connections for one in live))
        yield _gauge(
            "connections_limit", "Connections that one process may have; the lowest.", _least(live, "most_connections")
        )
        yield _counter(
            "connections_ended",
            "Connections that the server ended, by what it waited for, or what there was no room for.",
            "reason",
            counts.cut,
        )


def _labels(one: Gauges) -> tuple[str, str, str]:
    return (str(one.model_id), one.version or "", one.sha256 or "")


def _least(live: Iterable[Gauges], name: str) -> float:
    return min((getattr(one, name) for one in live), default=0)


def _any(live: Iterable[Gauges], name: str) -> bool:
    return any(getattr(one, name) for one in live)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"gatekeeper_{name}", about, value=float(value))


def _counter(name: str, about: str, label: str | None, value: int | dict[str, int]) -> Metric:
    if isinstance(value, int):
        return CounterMetricFamily(f"gatekeeper_{name}", about, value=value)
    family = CounterMetricFamily(f"gatekeeper_{name}", about, labels=[label or "reason"])
    for slug, count in sorted(value.items()):
        family.add_metric([slug], count)
    return family
