"""Cost of the shadow: the monitor's check with standby models of the desk, next to the same check without any.

A registry on SQLite with a primary, its servers' log of 10,000 ideas with outcomes since its promotion, and 0, 1, 12 or
50 standby models that exist since then. Each check is of an as-of of its own; rounds are in random order.

Usage: judgement_shadow.py [--ideas N] [--rounds N]
"""

import argparse
import gc
import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import create_engine, text

from gatekeeper import config
from gatekeeper import registry as registries
from gatekeeper.documents.check import CheckDocument
from gatekeeper.market.ideas import Dataset, Ideas, instant, market_day
from gatekeeper.model import export, training
from gatekeeper.pipeline.monitoring.monitor import monitor
from gatekeeper.pipeline.monitoring.standby_models import MOST
from gatekeeper.registry import Registry
from gatekeeper.registry.decision_log.line_format import Decision, Outcome, decision_lines, parse
from gatekeeper.serving import Gatekeeper
from gatekeeper.settings import Settings

STANDBY = (0, 1, 12, 50)
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 300
BATCH = 1000
PLACES = ("models", "work", "reports")


def main() -> None:
    """Prints a row for each number of standby models."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--ideas", type=int, default=10_000)
    words.add_argument("--rounds", type=int, default=15)
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bare, models = Path(name) / "bare", fitted(1 + max(STANDBY))
        begun(bare, models[0], given.ideas)
        houses = {count: House(bare, Path(name) / str(count), models[1 : 1 + count]) for count in STANDBY}
        took: dict[int, list[float]] = {count: [] for count in STANDBY}
        orders = np.random.default_rng(2)
        for number in range(1 + given.rounds):  # the first warms up
            for count in orders.permutation(STANDBY).tolist():
                seconds, scored = houses[count].check(number)
                took[count].append(seconds)
                if scored != min(count, MOST):
                    raise SystemExit(f"{scored} of {count} standby models were scored")
    show(took, given.ideas)


def show(took: dict[int, list[float]], ideas: int) -> None:
    """Processor seconds and their ratio to none, in each round; the ratio with its standard error."""
    print(f"One check of {ideas:,} logged ideas, CPU s, medians; ratio to no standby model, mean ± standard error\n")
    print("| standby models | scored | CPU s | ratio | each scored one adds |\n| --- | --- | --- | --- | --- |")
    none = np.array(took[0][1:])
    for count, each in took.items():
        seconds = np.array(each[1:])
        ratio = seconds / none
        error = ratio.std(ddof=1) / math.sqrt(len(ratio))
        scored = min(count, MOST)
        adds = f"{(ratio.mean() - 1) / scored:.3f}" if scored else ""
        print(f"| {count} | {scored} | {np.median(seconds):.3f} | {ratio.mean():.2f} ± {error:.2f} | {adds} |")


def settled(folder: Path) -> Settings:
    """A desk of its own in that folder, whose data are its servers' log."""
    places = {"db": f"sqlite:///{folder / 'registry.db'}", **{name: str(folder / name) for name in PLACES}}
    return config.load({**places, "data": "sql:", "recipe": "logistic"})


def begun(folder: Path, content: bytes, ideas: int) -> None:
    """A registry with a primary and a log of ideas, as servers write it: scored when they came, and closed."""
    folder.mkdir()
    settings, made = settled(folder), made_up(np.random.default_rng(1), ideas)
    registries.upgrade(settings.db, models=settings.models)
    with Registry.configured(settings) as opened:
        primary = opened.register(content, trained_to=BEGAN - timedelta(days=400)).id
        opened.promote(primary, actor="bench", reason="by hand")
        scores = Gatekeeper(opened).score(made.features)
        for start in range(0, ideas, BATCH):
            rows = range(start, min(start + BATCH, ideas))
            decisions = [decision(number, made, scores, primary) for number in rows]
            opened.log_decisions(parse(decision_lines(decisions).splitlines()))
            opened.close_decisions([outcome(number, made) for number in rows], all_or_none=True)


class House:
    """A copy of the desk, with standby models."""

    def __init__(self, bare: Path, folder: Path, standby: Sequence[bytes]) -> None:
        shutil.copytree(bare, folder)
        self.settings = settled(folder)
        self.registry = Registry.configured(self.settings)
        for content in standby:
            self.registry.register(content, trained_to=BEGAN - timedelta(days=400))
        with create_engine(self.settings.db.reveal()).begin() as connection:
            at = {"at": f"{BEGAN:%Y-%m-%d %H:%M:%S}"}
            connection.execute(text('UPDATE "RLModel" SET "createdAt" = :at'), at)
            connection.execute(text("UPDATE gatekeeper_promotion SET at = :at"), at)

    def check(self, number: int) -> tuple[float, int]:
        """Processor seconds of one check, and how many standby models it scored."""
        as_of = BEGAN + timedelta(days=DAYS + 30, minutes=number)
        gc.collect()  # what the one before left is not this one's
        began = time.process_time()
        found = monitor(as_of, self.registry, self.settings, now=as_of + timedelta(days=1))
        seconds = time.process_time() - began
        if found.check is None:
            raise SystemExit(found.summary)
        document: CheckDocument = found.check.document
        return seconds, 0 if document.shadow is None else len(document.shadow.models)


def decision(number: int, ideas: Ideas, scores: Any, primary: int) -> Decision:
    """A server's answer to one idea."""
    at = moment(ideas.time[number])
    return Decision(
        idea_id=f"bench-{number}", at=at, time=at, symbol=str(ideas.symbol[number]), strategy=None,
        features=tuple(map(float, ideas.features[number])), score=float(scores.values[number]), threshold=0.55,
        approved=bool(scores.approved[number]), model_id=primary, version=scores.version, sha256=scores.sha256,
        degraded=False,
    )  # fmt: skip


def outcome(number: int, ideas: Ideas) -> Outcome:
    """What it made."""
    closed = moment(ideas.closed_at[number])
    return Outcome(f"bench-{number}", float(ideas.outcome[number]), closed, closed, False, closed)


def moment(at: Any) -> datetime:
    """Aware UTC."""
    made: datetime = at.astype("datetime64[us]").astype(object)
    return made.replace(tzinfo=UTC)


def made_up(rng: np.random.Generator, count: int, began: datetime = BEGAN) -> Ideas:
    """Ideas over DAYS days whose first features tell a little."""
    time = np.sort(instant(began) + rng.integers(1, DAYS * 86_400, count) * np.timedelta64(1, "s"))
    time = time.astype("datetime64[ns]")
    signal = rng.standard_normal(count)
    features = np.column_stack(
        (
            rng.uniform(20, 80, (count, 1)),
            rng.uniform(10, 40, (count, 1)),
            signal,
            np.exp(rng.standard_normal((count, 1))),
            np.zeros((count, 2)),
            rng.random((count, 1)) < 0.5,
        )
    ).astype(np.float32)
    closed = time + np.timedelta64(2, "D")
    outcomes = 0.01 * (0.2 * signal + rng.standard_normal(count) + 0.1)
    return Ideas(
        symbol=np.array([f"S{number % 50}" for number in range(count)]),
        strategy=np.full(count, "bench"),
        time=time,
        features=features,
        outcome=outcomes,
        closed_at=closed,
        known_at=closed,
        path_start=np.arange(count + 1, dtype=np.int64),
        path_day=market_day(closed),
        path_return=outcomes,
    )


def fitted(count: int) -> Sequence[bytes]:
    """So many models of the recipe `logistic`, each of years of its own."""
    contents = []
    for seed in range(count):
        rng = np.random.default_rng(100 + seed)
        began = BEGAN - timedelta(days=2 * DAYS + 400)
        ideas = made_up(rng, 600, began)
        as_of = began + timedelta(days=DAYS + 400)
        days = np.unique(ideas.path_day)
        dataset = Dataset(ideas, days, 365, as_of, as_of, True, "made up", ())
        contents.append(export.export(training.train(dataset, Settings(recipe="logistic", holdout_days=30))))
    return contents


if __name__ == "__main__":
    main()
