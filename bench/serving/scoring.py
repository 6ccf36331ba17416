"""Cost of one score with every check, next to the runtime alone and to scikit-learn. One thread each.

All sides take turns in many short rounds: the ratio of the medians counts, its quartiles over the rounds are the noise.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from results import FASTER, ITS_TIME, Result, Work, compared
from threadpoolctl import threadpool_limits

from gatekeeper import registry
from gatekeeper.model import recipes
from gatekeeper.model.export import convert
from gatekeeper.registry import Registry
from gatekeeper.serving import Gatekeeper

IDEA = [41.0, 22.0, 0.02, 0.05, 0.0, 0.0, 1.0]
CALLS = 50
OURS = ("array, watched", "array", "list, watched")
"""Watched: as a server's process holds it, which follows the registry."""
CHECKED = "ours checks row and score, which the runtime alone doesn't, and calls it below its Python layer"


def main(*, quick: bool) -> list[Result]:
    """One idea, of an array and of a list, for each recipe's own export."""
    results = []
    for name in ("logistic",) if quick else ("logistic", "hist_gradient_boosting"):
        with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
            times = in_turns(sides(fitted(name), Path(folder)), rounds=4 if quick else 400)
        for work in OURS:
            bare, slow, taken = times["runtime alone"], times["scikit-learn"], times[work]
            about = ("One score", f"{work}, {name}", "1 row")
            results += [
                compared(*about, "bare onnxruntime", taken, bare, as_=ITS_TIME, at_most=1.25, note=CHECKED),
                compared(*about, "scikit-learn", taken, slow, as_=FASTER, at_least=15),
            ]
    return results


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
        "array, watched": lambda: watched.score(row),
        "array": lambda: gate.score(row),
        "list, watched": lambda: watched.score([IDEA]),
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
