"""Reference of the metrics, from what a server with something to tell of everything exposes."""

from markdown import code, page, sentence, table
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from gatekeeper.serving.http.counters import BUCKETS, Counts, Duration
from gatekeeper.serving.http.metrics import exposition
from gatekeeper.serving.http.worker_state import Gauges, Snapshot

ABOUT = """`GET /metrics` of `gatekeeper serve`, in Prometheus' text format, for all of the server's processes as one:
counts add up, and of a state the worst process counts. A counter counts from the start of its process.
[alerts.yml](../alerts.yml) has alerts to begin with."""


def known() -> list[Metric]:
    """Every metric that there can be, each with a sample, so that its labels show."""
    counts = Counts(
        requests={"/v1/score": {200: 1}},
        durations={"/v1/score": Duration()},
        decisions={"SPX": [1, 1]},
        failures={"sha256": 1},
        cut={"head": 1},
        loop_failures={"watch": 1},
    )
    gauges = Gauges(
        model_id=1,
        version="gatekeeper_primary1",
        sha256="0" * 64,
        model_age=1.0,
        fallback="primary",
        degraded=False,
        generation=1,
        served_generation=1,
        lag=0.0,
        verdict_age=1.0,
        backlog=0,
        backlog_bytes=0,
        flush_age=0.0,
        loops={"watch": 0.0},
        connections=1,
        most_connections=1000,
        ids=1,
        oldest_id=0.0,
    )
    text = exposition([Snapshot(counts, gauges)], workers=1).body.decode()
    return list(text_string_to_metric_families(text))


def made() -> str:
    """The page."""
    rows = []
    for each in known():
        labels = sorted({label for sample in each.samples for label in sample.labels} - {"le"})
        name = f"{each.name}_total" if each.type == "counter" else each.name
        rows.append([code(name), each.type, ", ".join(map(code, labels)), sentence(each.documentation)])
    buckets = ", ".join(f"{edge:g}" for edge in BUCKETS)
    return page(
        "Metrics",
        ABOUT,
        table(["metric", "type", "labels", "meaning"], rows),
        f"Histogram buckets, in seconds: {buckets}.",
    )
