"""Eight processes that promote at once. The child behind races.py, which prints JSON.

Usage: racers.py SIDE URL FOLDER PROCESSES PROMOTIONS ROUNDS     (SIDE: ours, alias, stage)
"""

import itertools
import json
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Protocol

Together = Callable[[], object]
PATIENCE = 120


class Side(Protocol):
    """One process's way to a registry, in which the models 1 to twice the processes are."""

    refusals: tuple[type[Exception], ...]
    """What a promotion raises that didn't go in."""

    def seen(self) -> object:
        """What a process that judges now goes by."""

    def promote(self, model: int, seen: object = None) -> bool:
        """Did it go in? With `seen`, only where that still holds."""

    def primaries(self) -> list[int]:
        """Whoever is the primary by now: one, where all is well."""


class Ours:
    """The registry, which takes the generation that the judgement went by."""

    def __init__(self, url: str, folder: Path) -> None:
        from gatekeeper.errors import GatekeeperError
        from gatekeeper.registry import Registry

        self.refusals = (GatekeeperError,)
        self._opened = Registry.open(url, models=folder / "models")

    def seen(self) -> int:
        """The generation."""
        return self._opened.generation()

    def promote(self, model: int, seen: object = None) -> bool:
        """With the generation, only where nothing was promoted since."""
        guard = seen if isinstance(seen, int) else None
        self._opened.promote(model, actor=f"bench {os.getpid()}", reason="race", expected_generation=guard)
        return True

    def primaries(self) -> list[int]:
        """The row that claims to be it, and whom the newest row of the audit names."""
        found = {model.id for model in self._opened.models() if model.is_primary}
        return sorted(found | {self._opened.promotions()[0].to_id})


class Mlflow:
    """An alias or a stage. Neither takes a condition, so a process looks once more before it sets it."""

    def __init__(self, url: str, _folder: Path) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow_side import client

        self.refusals = (MlflowException,)
        self._client = client(url)

    def seen(self) -> list[int]:
        """Who the primary is."""
        return self.primaries()

    def promote(self, model: int, seen: object = None) -> bool:
        """Sets it; where the primary is another by now, it doesn't."""
        if seen is not None and self.primaries() != seen:
            return False
        self._put(model)
        return True

    def _put(self, model: int) -> None:
        raise NotImplementedError

    def primaries(self) -> list[int]:
        """Each side's own."""
        raise NotImplementedError


class Alias(Mlflow):
    """`models:/name@champion`."""

    def _put(self, model: int) -> None:
        from mlflow_side import ALIAS, NAME

        self._client.set_registered_model_alias(NAME, ALIAS, str(model))

    def primaries(self) -> list[int]:
        """The alias leads to one."""
        from mlflow_side import ALIAS, NAME

        return [int(self._client.get_model_version_by_alias(NAME, ALIAS).version)]


class Stage(Mlflow):
    """`models:/name/Production`, the version before archived."""

    def _put(self, model: int) -> None:
        from mlflow_side import NAME, STAGE

        # A number: psycopg doesn't compare the column with a text, as the signature has it.
        self._client.transition_model_version_stage(NAME, model, STAGE, archive_existing_versions=True)

    def primaries(self) -> list[int]:
        """All that are in the stage."""
        from mlflow_side import NAME, STAGE

        found = self._client.search_model_versions(f"name='{NAME}'")
        return sorted(int(version.version) for version in found if version.current_stage == STAGE)


SIDES: dict[str, Callable[[str, Path], Side]] = {"ours": Ours, "alias": Alias, "stage": Stage}


def raced(side: Side, number: int, together: Together, promotions: int, rounds: int) -> dict[str, object]:
    """What one process did: its promotions one after the other, then those of each round, without and with a guard."""
    own = itertools.cycle((2 * number + 2, 2 * number + 1))  # never the one that may be the primary by it already
    faults: Counter[str] = Counter()

    def tried(model: int, seen: object = None) -> bool:
        try:
            return side.promote(model, seen)
        except side.refusals as fault:
            faults[type(fault).__name__] += 1
            return False

    with suppress(*side.refusals):
        side.promote(next(own))  # warmed up
    together()
    began = time.monotonic()
    went_in = sum(tried(next(own)) for _ in range(promotions))
    ended = time.monotonic()
    result: dict[str, object] = {"began": began, "ended": ended, "promoted": went_in}
    for what, guarded in (("unguarded", False), ("guarded", True)):
        rounds_won = []
        for _ in range(rounds):
            together()
            model, seen = next(own), side.seen() if guarded else None
            together()
            won = tried(model, seen)
            together()
            rounds_won.append({"won": model if won else None, "primaries": side.primaries()})
        result[what] = rounds_won
    return {**result, "faults": faults}


def main(name: str, url: str, folder: Path, processes: int, promotions: int, rounds: int) -> None:
    """Forks the processes, each with a connection of its own, and prints what each says."""
    import gatekeeper.model.verify  # noqa: F401  # before the forks, as all that is slow to import

    if name != "ours":
        import mlflow_side

        mlflow_side.installed()
        warnings.filterwarnings("ignore", category=FutureWarning)  # stages will go one day
    context = get_context("fork")
    barrier: Barrier = context.Barrier(processes)
    queue = context.SimpleQueue()

    def one(number: int) -> None:
        try:
            side = SIDES[name](url, folder)
            queue.put(raced(side, number, lambda: barrier.wait(PATIENCE), promotions, rounds))
        except BaseException:
            barrier.abort()  # nobody waits for this one
            queue.put(None)
            raise

    children = [context.Process(target=one, args=(number,)) for number in range(processes)]
    for child in children:
        child.start()
    results = [queue.get() for _ in children]
    for child in children:
        child.join()
    if None in results:
        sys.exit("a process ended before its time")
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *(int(word) for word in sys.argv[4:]))
