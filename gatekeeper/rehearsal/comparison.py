"""Comparison of a rehearsal's streams: standard errors of their figures, and which pairs can be told apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.rehearsal import StreamResult
from gatekeeper.documents.stream_pairs import DifferenceRecord, PairResult, Resampling
from gatekeeper.judgement.statistics.paired_bootstrap import (
    DRAWS,
    LEVEL,
    ResampledStreams,
    critical_value,
    resample,
    standard_error,
)
from gatekeeper.judgement.statistics.sharpe import FEWEST_DAYS

SEED = 0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ComparedStream:
    """One stream to compare. mode: streams are compared within one way to deploy; a reference without has any."""

    result: StreamResult
    excess: Floats
    """(T,) daily returns over the risk-free rate."""
    mode: str | None = None
    policy: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Difference:
    value: float
    drawn: Floats
    error: float

    @classmethod
    def of(cls, one: float | None, other: float | None, drawn: Floats) -> "_Difference | None":
        error = standard_error(drawn)
        return None if one is None or other is None or error is None else cls(one - other, drawn, error)

    def record(self, critical: float) -> DifferenceRecord:
        wide = critical * self.error
        return DifferenceRecord(self.value, self.error, self.value - wide, self.value + wide)


@dataclass(frozen=True, slots=True, eq=False)
class StreamComparison:
    """The errors of all streams and pairs; without errors if there are too few days."""

    errors: Mapping[str, Mapping[str, float | None]]
    """By stream: the errors of its figures, by their names."""
    pairs: list[PairResult]
    resampling: Resampling | None
    net_errors: Mapping[str, float | None]
    """By policy, of what its promotions made."""

    @classmethod
    def of(
        cls, streams: Sequence[ComparedStream], promoted: Mapping[str, Floats], periods_per_year: int
    ) -> "StreamComparison":
        """All of it by one draw of days. promoted: by policy, (T,) what its promotions added day by day."""
        results = [each.result for each in streams]
        days = len(results[0].daily)
        if days < FEWEST_DAYS:
            return cls({each.name: {} for each in results}, [], None, dict.fromkeys(promoted))
        daily = np.column_stack([each.daily for each in results] + list(promoted.values()))
        excess = np.column_stack([each.excess for each in streams] + list(promoted.values()))
        drawn = resample(daily, excess, periods_per_year=periods_per_year, seed=SEED)
        pairs, critical = _pairs(streams, drawn)
        return cls(
            {each.name: _errors(each, drawn, column) for column, each in enumerate(results)},
            pairs,
            Resampling("stationary bootstrap", DRAWS, drawn.block, SEED, LEVEL, critical),
            {name: standard_error(drawn.total[:, len(streams) + place]) for place, name in enumerate(promoted)},
        )

    def sharpe_difference(self, one: str, other: str) -> DifferenceRecord | None:
        """The Sharpe ratio of `one` less that of `other`, in whichever order the pair stands."""
        for pair in self.pairs:
            if pair.sharpe is not None and (pair.one, pair.other) == (one, other):
                return pair.sharpe
            if pair.sharpe is not None and (pair.other, pair.one) == (one, other):
                found = pair.sharpe
                return DifferenceRecord(-found.value, found.error, -found.high, -found.low)
        return None


def _errors(result: StreamResult, drawn: ResampledStreams, column: int) -> dict[str, float | None]:
    return {
        "sharpe_error": None if result.sharpe is None else standard_error(drawn.sharpe[:, column]),
        "return_error": standard_error(drawn.total[:, column]),
        "drawdown_error": standard_error(drawn.drawdown[:, column]),
    }


def _pairs(streams: Sequence[ComparedStream], drawn: ResampledStreams) -> tuple[list[PairResult], float]:
    """The pairs, and the standard errors to either side within which all their differences hold at once."""
    found = []
    for a, b in _compared(streams):
        one, other = streams[a].result, streams[b].result
        sharpe = _Difference.of(one.sharpe, other.sharpe, drawn.sharpe[:, a] - drawn.sharpe[:, b])
        total = _Difference.of(one.total_return, other.total_return, drawn.total[:, a] - drawn.total[:, b])
        found.append((one.name, other.name, sharpe, total))
    known = [each for *_, sharpe, total in found for each in (sharpe, total) if each is not None]
    critical = critical_value(
        np.array([each.value for each in known]),
        np.array([each.error for each in known]),
        np.array([each.drawn for each in known]).reshape(len(known), len(drawn.total)).T,
    )
    return [_pair(*each, critical) for each in found], critical


def _pair(one: str, other: str, sharpe: _Difference | None, total: _Difference | None, critical: float) -> PairResult:
    by_sharpe = None if sharpe is None else sharpe.record(critical)
    by_return = None if total is None else total.record(critical)
    apart = any(each is not None and each.separable for each in (by_sharpe, by_return))
    return PairResult(one, other, by_sharpe, by_return, apart)


def _compared(streams: Sequence[ComparedStream]) -> Iterator[tuple[int, int]]:
    """Pairs within one way to deploy, and a policy's two ways."""
    for a, b in combinations(range(len(streams)), 2):
        one, other = streams[a], streams[b]
        one_mode = one.mode is None or other.mode is None or one.mode == other.mode
        if one_mode or (one.policy is not None and one.policy == other.policy):
            yield a, b
