"""Trade ideas and datasets: features, outcomes, mark-to-market paths and market days as known at one as-of.

Values only, in numpy, without pandas. All instants are UTC.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents import passport as passports
from gatekeeper.errors import DataError
from gatekeeper.features import FEATURES
from gatekeeper.files import write_whole
from gatekeeper.market.findings import Finding

# The float32 of a feature must stay finite, and so must the square of a price; real ones are far below.
LARGEST = 1e30

Index = NDArray[np.bool_] | NDArray[np.intp] | Sequence[int] | slice

_FORMAT = 1
_DTYPES: dict[str, str] = {
    "time": "datetime64[ns]",
    "features": "float32",
    "outcome": "float64",
    "closed_at": "datetime64[ns]",
    "known_at": "datetime64[ns]",
    "path_start": "int64",
    "path_day": "datetime64[D]",
    "path_return": "float64",
}
OPTIONAL = ("atr", "costs")
# What JSON writes as it is, but for the quotes, which are counted.
_PLAIN = bytes(range(ord(" "), 127)).replace(b"\\", b"")


@dataclass(frozen=True, slots=True, eq=False)
class Ideas:
    """Trade ideas as columns: n ideas, m marks along their paths.

    Idea i's path is `path_day[path_start[i]:path_start[i + 1]]` and the same slice of `path_return`: what it made on
    each market day that it was open, net of costs, as a fraction of its entry price. A path sums to the outcome.

    atr: (n,) ATR14 when the idea came, as a fraction of its entry price; None unless the sizing needs it.
    costs: (n, 4) or (n, 1), the costs that the outcome has paid already, by part or as a whole (costs.py); None if the
    source doesn't give them. They explain the outcome and decide nothing, so the fingerprint leaves them out.
    """

    symbol: NDArray[np.str_]
    strategy: NDArray[np.str_]
    time: NDArray[np.datetime64]
    features: NDArray[np.float32]
    outcome: NDArray[np.float64]
    closed_at: NDArray[np.datetime64]
    known_at: NDArray[np.datetime64]
    path_start: NDArray[np.int64]
    path_day: NDArray[np.datetime64]
    path_return: NDArray[np.float64]
    atr: NDArray[np.float64] | None = None
    costs: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.time)
        columns = (self.symbol, self.strategy, self.features, self.outcome, self.closed_at, self.known_at)
        if any(len(column) != n for column in columns) or len(self.path_start) != n + 1:
            raise DataError(f"columns of {n} ideas differ in length: {[len(c) for c in columns]}; rebuild the dataset")
        if self.features.shape != (n, len(FEATURES)) or self.features.dtype != np.float32:
            raise DataError(f"features are {self.features.dtype} {self.features.shape}, not float32 ({n}, 7)")
        for name, dtype in _DTYPES.items():
            if getattr(self, name).dtype != np.dtype(dtype):
                raise DataError(f"ideas.{name} is {getattr(self, name).dtype}, not {dtype}; convert it first")
        for name in OPTIONAL:
            column = getattr(self, name)
            if column is not None and (len(column) != n or column.dtype != np.float64):
                raise DataError(f"ideas.{name} is {column.dtype} for {len(column)} of {n} ideas; give float64 for each")

    def __len__(self) -> int:
        return len(self.time)

    @property
    def wins(self) -> NDArray[np.bool_]:
        """(n,) bool: the trade made money, net of costs."""
        return np.asarray(self.outcome > 0, dtype=np.bool_)

    def take(self, index: Index) -> "Ideas":
        """The ideas that a mask (n,), an index or a slice picks, in its order, with their paths."""
        rows = np.arange(len(self))[index]
        if len(rows) and (np.diff(rows) == 1).all():
            return self._between(rows[0], rows[-1] + 1)
        starts, lengths = self.path_start[rows], np.diff(self.path_start)[rows]
        path_start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        marks = np.repeat(starts - path_start[:-1], lengths) + np.arange(path_start[-1])
        return Ideas(
            symbol=self.symbol[rows],
            strategy=self.strategy[rows],
            time=self.time[rows],
            features=self.features[rows],
            outcome=self.outcome[rows],
            closed_at=self.closed_at[rows],
            known_at=self.known_at[rows],
            path_start=path_start,
            path_day=self.path_day[marks],
            path_return=self.path_return[marks],
            atr=None if self.atr is None else self.atr[rows],
            costs=None if self.costs is None else self.costs[rows],
        )

    def _between(self, first: np.intp, end: np.intp) -> "Ideas":
        """`take` of consecutive ideas, as views: copying all columns would cost more than scoring them."""
        marks = slice(self.path_start[first], self.path_start[end])
        columns = {name: column[first:end] for name, column in self.columns().items()}
        paths = {name: getattr(self, name)[marks] for name in ("path_day", "path_return")}
        path_start = self.path_start[first : end + 1] - self.path_start[first]
        return Ideas(**columns | paths | {"path_start": path_start})

    def in_order(self) -> "Ideas":
        """The ideas sorted by (time, symbol, strategy)."""
        return self if self._are_in_order() else self.take(np.lexsort((self.strategy, self.symbol, self.time)))

    def _are_in_order(self) -> bool:
        """Whether the ideas are sorted already; checked first, since a sort copies every column."""
        before, after = self.time[:-1], self.time[1:]
        if not (before <= after).all():  # NaT is in no order
            return False
        one = np.flatnonzero(before == after)
        symbol, strategy = (self.symbol[one], self.symbol[one + 1]), (self.strategy[one], self.strategy[one + 1])
        return bool(((symbol[0] < symbol[1]) | ((symbol[0] == symbol[1]) & (strategy[0] <= strategy[1]))).all())

    def fingerprint(self) -> str:
        """sha256 (hex) of all columns that decide; the same on every machine and for any width of the text columns."""
        return _digest((name, column) for name, column in self.columns().items() if name != "costs")

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns that are not None, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: column for name, column in named.items() if column is not None}


def no_ideas() -> Ideas:
    """An empty set of ideas."""
    return Ideas(
        symbol=np.empty(0, dtype="<U1"),
        strategy=np.empty(0, dtype="<U1"),
        time=np.empty(0, dtype="datetime64[ns]"),
        features=np.empty((0, len(FEATURES)), dtype=np.float32),
        outcome=np.empty(0),
        closed_at=np.empty(0, dtype="datetime64[ns]"),
        known_at=np.empty(0, dtype="datetime64[ns]"),
        path_start=np.zeros(1, dtype=np.int64),
        path_day=np.empty(0, dtype="datetime64[D]"),
        path_return=np.empty(0),
    )


def join(parts: Sequence[Ideas]) -> Ideas:
    """All ideas of `parts`, sorted by (time, symbol, strategy). A column that one with ideas lacks is left out."""
    if not parts:
        return no_ideas()
    # A part without ideas has no ATR nor costs, and takes them from nobody: a listing of a few weeks, for one.
    each = [part.columns() for part in parts if len(part)] or [parts[0].columns()]
    columns = {
        name: np.concatenate([part[name] for part in each])
        for name in each[0]
        if name != "path_start" and all(name in part for part in each)
    }
    lengths = np.concatenate([np.diff(part["path_start"]) for part in each])
    path_start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Ideas(path_start=path_start, **columns).in_order()


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Point-in-time dataset: all that one as-of may know.

    ideas: those whose outcome is known by the as-of, sorted by (time, symbol, strategy).
    market_days: (d,) datetime64[D], increasing: market days closed by the as-of; a day is closed at its end, UTC.
    periods_per_year: 252, or 365 for a market that never closes; a mixed book takes the busier.
    newest: when the newest thing in here became known: a bar's close, an idea, an outcome.
    marked: paths are marked to market; else the whole outcome is booked on the exit's day.
    notes: sentences about the data for people.
    closes: (k, s) each symbol's close on the last k market days, NaN before its first bar; None without bars. Only
    what it would have made to hold the symbols rests on them, so the fingerprint leaves them out.
    findings: what the data checks found, the most severe first; () if they weren't run. They stay out of the
    fingerprint, and of the file, which has the passport.
    passport: the source's data passport, if one was asked for. The fingerprint leaves it out, too.
    """

    ideas: Ideas
    market_days: NDArray[np.datetime64]
    periods_per_year: int
    as_of: datetime
    newest: datetime
    marked: bool
    source: str
    notes: tuple[str, ...]
    closes: NDArray[np.float64] | None = None
    findings: tuple[Finding, ...] = ()
    passport: passports.Passport | None = None

    def fingerprint(self) -> str:
        """sha256 (hex) of what was known, whatever it was read from (`source`, `notes` and `findings` don't count)."""
        facts = [self.periods_per_year, self.as_of.isoformat(), self.newest.isoformat(), self.marked]
        return _digest(
            [
                ("ideas", np.array([self.ideas.fingerprint()])),
                ("market_days", self.market_days),
                ("facts", np.array([json.dumps(facts)])),
            ]
        )

    def save(self, path: Path) -> str:
        """Write to `path` (.npz) as a whole or not at all; returns the sha256 (hex) of the file.

        Raises Unavailable if the file can't be written.
        """
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **self._arrays())  # a plain array per member: nothing runs on loading
        content = buffer.getvalue()
        write_whole(path, content)
        return hashlib.sha256(content).hexdigest()

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        meta = {
            "format": _FORMAT,
            "periods_per_year": self.periods_per_year,
            "as_of": self.as_of.isoformat(),
            "newest": self.newest.isoformat(),
            "marked": self.marked,
            "source": self.source,
            "notes": list(self.notes),
            "passport": None if self.passport is None else passports.as_object(self.passport),
        }
        encoded = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
        closes = {} if self.closes is None else {"closes": self.closes}
        return {"meta": encoded, "market_days": self.market_days, **closes, **self.ideas.columns()}

    @staticmethod
    def load(path: Path, sha256: str) -> "Dataset":
        """Read what `save` wrote, if its bytes are those of `sha256`. Raises DataError for a missing or other file."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"can't read the dataset {path}: {error.strerror}; run the step that wrote it") from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise DataError(f"{path} holds sha256 {found}, not {sha256}: it has changed; write it again")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            meta = json.loads(arrays["meta"].tobytes())
            if meta["format"] != _FORMAT:
                raise DataError(
                    f"{path} has dataset format {meta['format']}, and this version reads {_FORMAT}; write it again"
                )
            there = [field.name for field in fields(Ideas) if field.name not in OPTIONAL or field.name in arrays]
            ideas = Ideas(**{name: arrays[name] for name in there})
            market_days = arrays["market_days"]
            closes = arrays.get("closes")
        return Dataset(
            ideas=ideas,
            market_days=market_days,
            periods_per_year=int(meta["periods_per_year"]),
            as_of=datetime.fromisoformat(meta["as_of"]),
            newest=datetime.fromisoformat(meta["newest"]),
            marked=bool(meta["marked"]),
            source=str(meta["source"]),
            notes=tuple(meta["notes"]),
            closes=closes,
            passport=None if meta.get("passport") is None else passports.of_object(meta["passport"]),
        )


def instant(moment: datetime) -> np.datetime64:
    """An aware datetime as datetime64[ns] in UTC."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "ns")


def moment(instant: np.datetime64) -> datetime:
    """A datetime64 (UTC) as an aware datetime, to the microsecond."""
    return datetime.fromisoformat(str(instant.astype("datetime64[us]"))).replace(tzinfo=UTC)


def market_day(closes: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """The market day, datetime64[D], of bars that close at these instants: midnight belongs to the day it ends."""
    return (closes - np.timedelta64(1, "ns")).astype("datetime64[D]")


def _digest(arrays: Iterator[tuple[str, NDArray[np.generic]]] | list[tuple[str, NDArray[np.generic]]]) -> str:
    digest = hashlib.sha256()
    for name, array in arrays:
        content: bytes | memoryview
        if array.dtype.kind == "U":
            content = _as_json(array.astype(np.str_, copy=False))
        else:
            content = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
        digest.update(f"{name} {array.dtype.kind} {array.shape} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _as_json(texts: NDArray[np.str_]) -> bytes:
    """`json.dumps` of (n,) texts. Plain ones are written as columns of characters, since one by one takes five times
    as long and, as objects, five times the memory."""
    width = texts.dtype.itemsize // 4
    characters = np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), width)
    written = np.empty((len(texts), width + 4), dtype=np.uint8)
    written[:, 0], written[:, -3:] = ord('"'), tuple(b'", ')
    written[:, 1:-3] = characters
    content = written.tobytes().translate(None, b"\0")[:-2]
    plain = (
        characters.max(initial=0) < 128
        and not content.translate(None, _PLAIN)
        and content.count(b'"') == 2 * len(texts)
        and np.count_nonzero(characters) == np.strings.str_len(texts).sum()  # else a text has zeros inside
    )
    return b"[" + content + b"]" if plain else json.dumps(texts.tolist()).encode()
