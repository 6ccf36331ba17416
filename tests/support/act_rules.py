"""Rules of promotions, holds and quarantines, as a small model: a list of acts, sets, and a tree of primaries.

It is written from the rules alone; nothing of the package is used here.
"""

from dataclasses import dataclass, field
from math import inf
from typing import Any


@dataclass(eq=False)
class Reign:
    """A primary, and the one before it, to which a rollback goes."""

    model: int
    before: "Reign | None"


@dataclass(eq=False)
class Act:
    """A promotion or rollback as the rules have it. `week`: its as-of, in weeks; inf: the time of the act itself."""

    kind: str
    model: int
    source: int | None
    week: float
    reason: str
    evaluation: int | None
    key: str | None


@dataclass
class Rules:
    """What the registry must hold."""

    acts: list[Act] = field(default_factory=list)
    reign: Reign | None = None
    holds: list[int] = field(default_factory=list)
    placed: int = 0
    out: set[int] = field(default_factory=set)
    judged: list[tuple[int, int, str, int]] = field(default_factory=list)  # model, week, verdict, generation
    newest: int | None = None
    hold_keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    release_keys: dict[str, tuple[tuple[int, ...], bool]] = field(default_factory=dict)
    """What each key released, and whether other holds stood then."""
    clear_keys: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, tuple[tuple[Any, ...], int]] = field(default_factory=dict)
    """What each key was to do that had nothing to change, and the generation then."""

    @property
    def primary(self) -> int | None:
        return None if self.reign is None else self.reign.model

    def highest(self) -> float:
        return max((act.week for act in self.acts if act.evaluation is not None), default=-inf)

    def open(self, week: int) -> bool:
        """Whether a weekly run of this week may promote."""
        return all(act.week < week for act in self.acts)

    def keyed(self, key: str | None) -> Act | None:
        return next((act for act in self.acts if key is not None and act.key == key), None)

    def elsewhere(self, key: str | None, order: tuple[Any, ...], *places: dict[str, Any]) -> bool:
        """Whether the key did an act of another kind, or had nothing to change by another order."""
        if key is None:
            return False
        return any(key in place for place in places) or self.unchanged.get(key, (order,))[0] != order

    def leave(self, key: str | None, order: tuple[Any, ...]) -> None:
        """Nothing is there to change, so the key changes nothing later either."""
        if key is not None:
            self.unchanged[key] = (order, len(self.acts))

    def by_hand(self) -> float:
        return inf if self.newest is None else max(self.newest, self.highest())

    def made(self, kind: str, model: int, week: float, reason: str, evaluation: int | None, key: str | None) -> None:
        source = self.acts[-1].model if self.acts else None
        self.acts.append(Act(kind, model, source, week, reason, evaluation, key))

    def back(self) -> Reign | None:
        """Where a rollback goes: the nearest primary before with other bytes, none of them barred."""
        one = self.reign and self.reign.before
        while one is not None and (one.model == self.primary or one.model in self.out):
            one = one.before
        return one

    def promotion(self, model: int, reason: str, evaluation: int | None, key: str | None) -> "set[str] | Act":
        """The act that stands for the order already, or the errors that refuse it; empty: it is made."""
        done = self.keyed(key)
        order = ("manual" if evaluation is None else "weekly", model, reason, evaluation)
        if self.elsewhere(key, order, self.hold_keys, self.release_keys, self.clear_keys):
            return {"KeyUsed"}
        if done is not None:
            return done if (done.kind, done.model, done.reason, done.evaluation) == order else {"KeyUsed"}
        if key in self.unchanged:
            return self.acts[self.unchanged[key][1] - 1]
        if self.primary == model:
            self.leave(key, order)
            return self.acts[-1]
        wrong = {"Quarantined"} & {"Quarantined" for one in self.out if one == model}
        if evaluation is not None:
            challenger, week, verdict, generation = self.judged[evaluation - 1]
            wrong |= {"PromotionRefused"} if verdict != "promote" or challenger != model else set()
            wrong |= {"Held"} if self.holds else set()
            wrong |= set() if self.open(week) else {"EvaluationOutdated"}
            wrong |= set() if generation == len(self.acts) else {"GenerationMoved"}
        return wrong

    def promote(self, model: int, reason: str, evaluation: int | None, key: str | None) -> None:
        week = self.by_hand() if evaluation is None else self.judged[evaluation - 1][1]
        self.made("manual" if evaluation is None else "weekly", model, week, reason, evaluation, key)
        self.reign = Reign(model, self.reign)

    def rollback(self, reason: str, key: str | None) -> "set[str] | Act":
        done = self.keyed(key)
        if self.elsewhere(key, ("rollback",), self.hold_keys, self.release_keys, self.clear_keys):
            return {"KeyUsed"}
        if done is not None:
            return done if (done.kind, done.reason) == ("rollback", reason) else {"KeyUsed"}
        return set() if self.back() is not None else {"PromotionRefused"}

    def roll_back(self, reason: str, key: str | None) -> None:
        back, week, left = self.back(), self.by_hand(), self.primary
        assert back is not None
        assert left is not None
        self.made("rollback", back.model, week, reason, None, key)
        self.reign = back
        self.out.add(left)
