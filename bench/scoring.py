"""What does one score cost, with every check, beside the runtime alone and beside scikit-learn? One thread each.

All sides take turns in many short rounds: the ratio of the medians counts, its quartiles over the rounds are the noise.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from gatekeeper import registry
from gatekeeper.model import recipes
from gatekeeper.model.export import convert
from gatekeeper.registry import Registry
from gatekeeper.serving import Gatekeeper

IDEA = [41.0, 22.0, 0.02, 0.05, 0.0, 0.0, 1.0]
CALLS = 50
Work = Callable[[], object]


def main(*, quick: bool) -> None:
    """Prints the table: one idea, of an array and of a list, for each recipe's own export."""
    shown = Table("recipe", "work", "median", "/ runtime alone", "quartiles", "scikit-learn / it", title="one score")
    shown.title_justify = "left"
    for name in ("logistic", "hist_gradient_boosting"):
        with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
            times = in_turns(sides(fitted(name), Path(folder)), rounds=10 if quick else 400)
        bare, slowest = times["runtime alone"], median(times["scikit-learn"])
        for work, taken in times.items():
            low, _, high = quantiles([a / b for a, b in zip(taken, bare, strict=True)], n=4)
            ratio = f"{median(taken) / median(bare):.2f}"
            faster = f"{slowest / median(taken):.0f}"
            shown.add_row(name, work, f"{median(taken) * 1e6:,.1f} µs", ratio, f"{low:.2f} - {high:.2f}", faster)
    Console(width=120).print(shown)


def fitted(recipe: str) -> Any:
    """The recipe's estimator, on a thousand seeded ideas."""
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 1, (1_000, 7)).astype(np.float32)
    return getattr(recipes, recipe)(0).fit(features, features[:, 0] + rng.normal(0, 0.3, 1_000) > 0.5)


def sides(estimator: Any, folder: Path) -> Mapping[str, Work]:
    """One idea, scored by the primary of a registry, by a session of its very file, and by what was exported."""
    url = f"sqlite:///{folder / 'registry.db'}"
    registry.upgrade(url, models=folder / "models")
    opened = Registry.open(url, models=folder / "models")
    model = opened.register(convert(estimator, {}))
    opened.promote(model.id, actor="bench", reason="bench")
    gate, watched = Gatekeeper(opened), Gatekeeper(opened)
    watched.start()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(opened.named_bytes(opened.model(model.id)), options)
    row = np.array([IDEA], dtype=np.float32)
    return {
        "runtime alone": lambda: session.run(["score"], {"input": row}),
        "ours, array, watched": lambda: watched.score(row),
        "ours, array": lambda: gate.score(row),
        "ours, list, watched": lambda: watched.score([IDEA]),
        "scikit-learn": lambda: estimator.predict_proba(row),
    }


def in_turns(works: Mapping[str, Work], *, rounds: int) -> Mapping[str, list[float]]:
    """Seconds a call, one for each round. Each round begins with another side; each side warms up again."""
    times: dict[str, list[float]] = {work: [] for work in works}
    order = list(works)
    for _ in range(rounds):
        order.append(order.pop(0))
        for work in order:
            calls, call = (1 if work == "scikit-learn" else CALLS), works[work]
            for _ in range(max(1, calls // 5)):
                call()
            start = time.perf_counter()
            for _ in range(calls):
                call()
            times[work].append((time.perf_counter() - start) / calls)
    return times


if __name__ == "__main__":
    main(quick=False)
