"""Labelled ideas from files: parsed, validated, and restricted to the outcomes known by the as-of."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gatekeeper.errors import AsOfError, DataError
from gatekeeper.market.data.reading import times
from gatekeeper.market.data.reading.files import Table, numbers
from gatekeeper.market.data.trades import columns, conversion, layouts
from gatekeeper.market.data.trades.closed_trades import (
    GIVEN,
    Days,
    Mask,
    RowOrigin,
    booked_on_exit,
    check_order,
    check_outcome,
    checked_features,
    equals_one_before,
    repeats,
)
from gatekeeper.market.data.trades.conversion import Unit
from gatekeeper.market.data.trades.feature_rows import MOST_UNMATCHED, SETTING, FeatureRows
from gatekeeper.market.ideas import Ideas, instant, join, moment

_REQUIRED = ("symbol", "time", "action", "outcome", "closed_at")
# Written paths are rounded; they still have to add up to the outcome, to a hundredth of a basis point.
_ROUNDING = 1e-6
# Costs put a few losses beyond the largest one on their way.
_BEYOND = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """The ideas known by the as-of; marked: they have mark-to-market paths."""

    ideas: Ideas
    newest: datetime
    marked: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """One file's ideas that had started by the as-of: columns by name, and their instants.

    is_open: marked as open, whatever else they say. unmatched: without a feature row that was known at their entry.
    """

    table: Table
    frame: pd.DataFrame
    time: NDArray[np.datetime64]
    closed_at: NDArray[np.datetime64]
    known_at: NDArray[np.datetime64]
    is_open: Mask
    unmatched: Mask

    def pick(self, mask: Mask) -> "_Rows":
        return _Rows(
            Table(self.table.name, self.table.stem, self.table.frame[mask]),
            self.frame[mask],
            self.time[mask],
            self.closed_at[mask],
            self.known_at[mask],
            self.is_open[mask],
            self.unmatched[mask],
        )

    def origin(self) -> RowOrigin:
        number = self.frame.index.to_numpy(dtype=np.int64) + 1
        return RowOrigin(self.table.name, number, self.table.text("symbol").to_numpy(dtype=np.str_), self.time)

    def refuse(self, mask: Mask, fault: str, way_out: str) -> None:
        """Raises DataError naming the first rows of `mask`, if there are any."""
        if mask.any():
            self.origin().refuse(mask, fault, way_out)


Mixed = tuple[str, np.datetime64, np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """All labelled ideas of a source as read; a row is checked only once an as-of knows it.

    naive: the earliest instant that was written without an offset; NaT if all have one. mixed: of each column of a file
    that has both, its name and the earliest instant of either.
    features: the rows from which ideas without features have them. unit: what their outcomes are in.
    """

    uri: str
    files: tuple[_Rows, ...]
    naive: np.datetime64
    mixed: tuple[Mixed, ...]
    features: FeatureRows | None = None
    unit: Unit = "fraction"

    def known(self, as_of: datetime, longest_hold: timedelta, *, sized: bool = False) -> Labelled:
        """The ideas whose outcome was known by the as-of; sized: with the column `atr`, if they have it.

        Raises DataError (the file and its first rows at fault) and AsOfError (before the data).
        """
        for where, naive, aware in self.mixed:
            times.refuse_mixed(where, naive, aware, instant(as_of))
        # An outcome that was known by now belongs to now, even where its idea claims to have started later.
        parts = [rows.pick((rows.time <= instant(as_of)) | (rows.known_at <= instant(as_of))) for rows in self.files]
        unmatched = self._unmatched(parts, as_of)
        parts = [rows.pick(~rows.unmatched) for rows in parts]
        known = [_known(rows, as_of, longest_hold) for rows in parts]
        started = sum(len(rows.time) for rows in parts)
        if not started:
            raise AsOfError(
                f"as-of {as_of:%Y-%m-%d %H:%M}Z lies before the ideas of {self.uri}: the first is of "
                f"{min(rows.time.min() for rows in self.files)}; choose a later as-of"
            )
        some = [rows for rows in known if len(rows.time)]
        marked = _in_all({_has_path(rows): rows.table.name for rows in some}, "paths")
        _in_all({columns.cost(rows.table) is not None: rows.table.name for rows in some}, "costs")
        made = [_ideas(rows, self.unit, marked=marked, sized=sized) for rows in some]
        ideas, dropped = _unique(join(made), self.uri)
        notes = ["times without offset are read as UTC"] if self.naive <= instant(as_of) else []
        if dropped:
            notes.append(f"{dropped} exact duplicate idea{'s' * (dropped != 1)} dropped")
        still_open = started - sum(len(rows.time) for rows in known)
        if still_open:
            notes.append(f"{still_open} idea{'s' * (still_open != 1)} still open left out")
        beyond = sum(int(columns.beyond_excursions(rows.table, numbers(rows.frame["outcome"])).sum()) for rows in some)
        if beyond > _BEYOND * len(ideas):
            notes.append(f"{beyond} outcomes lie outside of their MAE and MFE: are the three in one unit?")
        if unmatched:
            notes.append(f"{unmatched} idea{'s' * (unmatched != 1)} without features known at the entry left out")
        seen = [rows.time[rows.time <= instant(as_of)] for rows in parts] + [rows.known_at for rows in known]
        return Labelled(ideas, moment(np.concatenate(seen).max()), marked, tuple(notes))

    def _unmatched(self, parts: list[_Rows], as_of: datetime) -> int:
        """How many ideas have no features. Raises DataError if they are over one in twenty, or can't be dated."""
        if self.features is None:
            return 0
        self.features.check_regular(as_of)
        count, of = sum(int(rows.unmatched.sum()) for rows in parts), sum(len(rows.time) for rows in parts)
        if count > MOST_UNMATCHED * of:
            first = next(rows.pick(rows.unmatched).origin() for rows in parts if rows.unmatched.any())
            raise DataError(
                f"{self.uri}: {count} of {of} ideas, over {MOST_UNMATCHED:.0%}, have no row in {self.features.uri} "
                f"that was known at their entry, within a bar (the first: {first.symbol[0]} "
                f"{str(first.time[0])[:19]}). {self.features.way_out(str(first.symbol[0]))}"
            )
        return count


def _in_all(named: dict[bool, str], what: str) -> bool:
    """Whether the files have it; `named` holds one file for each answer. Raises DataError if only some have it."""
    if len(named) > 1:
        raise DataError(f"{named[True]} has {what}, {named[False]} has none; give them to all ideas or to none")
    return next(iter(named), False)


def ledger(source: Iterable[Table], uri: str, features: FeatureRows | None = None, unit: Unit | None = None) -> Ledger:
    """All ideas of the tables, of any time. Raises DataError for a table from which no idea can be read.

    features: for ideas of files that have none. unit: what the outcomes are in; None: fractions.
    """
    timed = (_timed(layouts.recognised(table), features) for table in source)
    files, naive, mixed = zip(*timed, strict=True)
    return Ledger(uri, files, np.fmin.reduce(naive), tuple(chain.from_iterable(mixed)), features, unit or "fraction")


def _timed(table: Table, features: FeatureRows | None) -> tuple[_Rows, np.datetime64, list[Mixed]]:
    if features is None and not set(table.frame.columns).intersection(GIVEN) and set(_REQUIRED) <= set(table.frame):
        raise DataError(
            f"{table.name}{f' ({table.vendor})' if table.vendor else ''} has trades and no features. Name the files "
            f"that have them in {SETTING}: one row a bar with symbol, time and {', '.join(GIVEN)}"
        )
    joined = features if features is not None and not set(GIVEN) <= set(table.frame.columns) else None
    table.require(_REQUIRED if joined else (*_REQUIRED[:3], *GIVEN, *_REQUIRED[3:]))
    frame = table.frame
    time, naive = times.parse(frame["time"], f"{table.name}: time")
    closed_at, naive_close = times.parse(frame["closed_at"], f"{table.name}: closed_at", optional=True)
    known_at, naive_known = closed_at, naive_close
    if "known_at" in frame.columns:
        known_at, naive_known = times.parse(frame["known_at"], f"{table.name}: known_at", optional=True)
    bare, mixed = [], []
    given = {"time": (time, naive), "closed_at": (closed_at, naive_close), "known_at": (known_at, naive_known)}
    for name, (instants, without) in given.items():
        first, aware = times.first(instants, without), times.first(instants, ~without & ~np.isnat(instants))
        bare.append(first)
        if not np.isnat(first) and not np.isnat(aware):
            mixed.append((f"{table.name}: {name}", first, aware))
    is_open = columns.is_open(table)
    known_at = np.where(is_open, np.datetime64("NaT", "ns"), known_at)
    unmatched = np.zeros(len(frame), dtype=np.bool_)
    if joined is not None:
        row = joined.of(table.text("symbol").to_numpy(dtype=np.str_), time)
        unmatched = row < 0
        known = joined.frame[list(GIVEN)].iloc[np.maximum(row, 0)].set_index(frame.index)
        frame = frame.drop(columns=list(GIVEN), errors="ignore").join(known)
    return _Rows(table, frame, time, closed_at, known_at, is_open, unmatched), np.fmin.reduce(bare), mixed


def _known(rows: _Rows, as_of: datetime, longest_hold: timedelta) -> _Rows:
    """Those whose outcome was known by the as-of, their instants checked. NaT compares as unknown."""
    limit = np.timedelta64(longest_hold)
    known = rows.known_at <= instant(as_of)
    raise_it = f"raise GATEKEEPER_LONGEST_HOLD_DAYS (now {longest_hold.days}) or remove them"
    overdue = ~known & ~rows.is_open & (rows.time + limit <= instant(as_of))
    rows.refuse(overdue, f"no outcome by {as_of:%Y-%m-%d %H:%M}Z, longer than any trade may be open,", raise_it)
    rows = rows.pick(known)
    check_order(rows.origin(), rows.closed_at, rows.known_at)
    rows.refuse(rows.known_at - rows.time > limit, "the outcome came later than any trade may be open", raise_it)
    return rows


def _has_path(rows: _Rows) -> bool:
    if "path" not in rows.frame.columns:
        return False
    given = (rows.table.text("path") != "").to_numpy(dtype=np.bool_)
    if given.any():
        rows.refuse(~given, "the path is missing", "give paths to all ideas or to none")
    return bool(given.all())


def _ideas(rows: _Rows, unit: Unit, *, marked: bool, sized: bool) -> Ideas:
    origin, given = rows.origin(), numbers(rows.frame["outcome"])
    action = numbers(rows.table.text("action").str.lower().map(columns.ACTIONS))
    features = checked_features(origin, {name: numbers(rows.frame[name]) for name in GIVEN}, action)
    check_outcome(origin, given)
    outcome = conversion.outcomes(given, action, unit)
    strategy = rows.table.text("strategy") if "strategy" in rows.frame.columns else None
    path_start, path_day, path_return = _paths(rows, given) if marked else booked_on_exit(rows.closed_at, outcome)
    if marked:
        path_return = conversion.paths(path_return, path_start, action, unit)
    cost = columns.cost(rows.table)
    return Ideas(
        symbol=origin.symbol,
        strategy=np.full(len(outcome), "") if strategy is None else strategy.to_numpy(dtype=np.str_),
        time=rows.time,
        features=features,
        outcome=outcome,
        closed_at=rows.closed_at,
        known_at=rows.known_at,
        path_start=path_start,
        path_day=path_day,
        path_return=path_return,
        atr=_atr(rows) if sized and "atr" in rows.frame.columns else None,
        costs=None if cost is None else _costs(rows, conversion.costs(cost, unit)),
    )


def _atr(rows: _Rows) -> NDArray[np.float64]:
    atr = numbers(rows.frame["atr"])
    rows.refuse(~((atr > 0) & np.isfinite(atr)), "atr is missing or not a positive number", "fix or remove the rows")
    return atr


def _costs(rows: _Rows, cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 1) what the outcome paid, as a fraction of the entry price."""
    rows.refuse(~np.isfinite(cost), "the cost is missing or not a finite number", "give costs to all ideas or to none")
    return cost[:, np.newaxis]


def _paths(rows: _Rows, outcome: NDArray[np.float64]) -> tuple[NDArray[np.int64], Days, NDArray[np.float64]]:
    lengths, days, returns = [0], [], []
    texts = [value if isinstance(value, str) else _plain(value) for value in rows.frame["path"]]
    bad = np.zeros(len(texts), dtype=np.bool_)
    for i, text in enumerate(texts):
        try:
            path = [(np.datetime64(date, "D"), float(value)) for date, value in json.loads(text)]
        except (ValueError, TypeError):
            path, bad[i] = [], True
        lengths.append(len(path))
        days += [day for day, _ in path]
        returns += [value for _, value in path]
    rows.refuse(bad, "the path is not a JSON list of [date, return]", "fix or remove the rows")
    start = np.cumsum(lengths)
    path_day, path_return = np.array(days, dtype="datetime64[D]"), np.array(returns, dtype=np.float64)
    idea = np.repeat(np.arange(len(outcome)), np.diff(start))
    inside = (path_day >= rows.time.astype("datetime64[D]")[idea] - 1) & (
        path_day <= rows.closed_at.astype("datetime64[D]")[idea]
    )
    inside[1:] &= (idea[1:] != idea[:-1]) | (path_day[1:] > path_day[:-1])
    outside = np.bincount(idea[~inside], minlength=len(outcome)) > 0
    rows.refuse(outside, "the path's dates don't increase from the idea's date to its exit's", "fix or remove the rows")
    total = np.bincount(idea, weights=path_return, minlength=len(outcome))
    wrong = ~(np.abs(total - outcome) <= _ROUNDING)
    rows.refuse(wrong, "the path doesn't sum to the outcome", "fix or remove the rows")
    return start.astype(np.int64), path_day, path_return


def _plain(value: object) -> str:
    """The JSON of a path that Parquet holds as a list."""
    return json.dumps([[str(day)[:10], float(made)] for day, made in value])  # type: ignore[attr-defined]  # a list


def _unique(ideas: Ideas, uri: str) -> tuple[Ideas, int]:
    """The ideas without exact duplicates; two that differ under one key are refused. `ideas` are in order."""
    same = repeats(ideas)
    for later in np.flatnonzero(same):
        if not equals_one_before(ideas, later):
            key = f"{ideas.symbol[later]} {str(ideas.time[later])[:19]} {ideas.strategy[later]}".rstrip()
            raise DataError(
                f"{uri}: two ideas of the same symbol, time and strategy differ ({key}); keep the right one"
            )
    return ideas.take(~same), int(same.sum())
