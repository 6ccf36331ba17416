"""Random books of every kind for the reference judgement: ideas, settings, and what two models approve."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from gatekeeper.market.ideas import Dataset, Ideas
from gatekeeper.settings import Settings
from tests.support.referee import Array, day_of

DAY, HOUR = np.timedelta64(1, "D"), np.timedelta64(1, "h")
FIRST = np.datetime64("2016-01-01")
EMBARGO = LONGEST_HOLD = 21
STYLES = ("none", "all", "few", "half", "same", "near", "skilled", "skilled", "unlucky", "unlucky", "half", "near")


@dataclass
class Book:
    """One comparison: (n,) bool, what challenger and champion (None: a first primary) approve of all ideas."""

    data: Dataset
    settings: Settings
    window: tuple[Any, Any]
    ours: Array
    theirs: Array | None


def book(seed: int) -> Book:
    """The book of this seed."""
    rng = np.random.default_rng(seed)
    around_the_clock, marked = (bool(each) for each in rng.integers(2, size=2))
    # A Monday at 02:00, of which the window starts on a Sunday, and midnights around the turn of the year.
    as_of = datetime(2018, 11, 5, 2, tzinfo=UTC)
    if rng.random() < 0.6:
        as_of = datetime(2018, 12, 15, tzinfo=UTC) + timedelta(days=int(rng.integers(60)))
    settings = settings_of(rng)
    start = as_of - timedelta(days=settings.holdout_days - EMBARGO)
    window = (instant(start), instant(as_of - timedelta(days=LONGEST_HOLD)))
    days = np.arange(FIRST, instant(as_of).astype("datetime64[D]"))
    if not around_the_clock:
        days = days[np.is_busday(days)]
    ideas = ideas_of(rng, days, window[0], instant(as_of), marked=marked)
    periods = 365 if around_the_clock else 252
    data = Dataset(ideas, days, periods, as_of, as_of, marked, "candles:made by chance", ())
    theirs = approved(str(rng.choice(STYLES)), ideas, rng, np.ones(len(ideas), dtype=bool))
    ours = approved(str(rng.choice(STYLES)), ideas, rng, theirs)
    return Book(data, settings, window, ours, None if rng.random() < 0.08 else theirs)


@dataclass
class LeagueBook:
    """One contest: the book of its first contender, and what the others approve."""

    first: Book
    older: list[Array]


def league_book(seed: int) -> LeagueBook:
    """The league of this seed: one to five older contenders, often of few trades, and now and then two alike."""
    rng = np.random.default_rng([seed, 1])
    made = book(seed)
    while made.theirs is None:
        made = book(int(rng.integers(10_000)))
    policy = "safe" if made.settings.policy == "better" else made.settings.policy
    changes: dict[str, Any] = {"policy": policy, "league": True}
    if rng.random() < 0.5:  # few trades of all, or of some
        changes["floor_trades"] = int(rng.choice([30, 100, 1000]))
    made.settings = made.settings.model_copy(update=changes)
    styles: tuple[str, ...] = STYLES
    if rng.random() < 0.6:  # a champion that several can beat
        styles = ("skilled", "skilled", "few", "near")
        made.theirs = approved("unlucky", made.data.ideas, rng, made.ours)
    older = [approved(str(rng.choice(styles)), made.data.ideas, rng, made.ours) for _ in range(int(rng.integers(1, 6)))]
    return LeagueBook(made, older)


def settings_of(rng: np.random.Generator) -> Settings:
    """Settings that decide something."""
    return Settings(
        holdout_days=int(rng.choice([100, 180, 365, 365])),
        policy=rng.choice(["safe", "safe", "proven", "better"]),
        risk_free=float(rng.choice([0, 0.03])),
        sizing=rng.choice(["fraction", "volatility"]),
        most_open=None if rng.random() < 0.6 else int(rng.integers(1, 6)),
        fraction=float(rng.choice([0.05, 0.2])),
        floor_trades=int(rng.choice([5, 30])),
        beat_ungated=rng.choice(["warn", "bootstrap", "always"]),
        drawdown_allowance=float(rng.choice([0.05, 0.05, 0.0])),
        margin=float(rng.choice([0, 0, 0, 0.2])),
        too_good=float(rng.choice([5, 50])),
        false_promotions_a_year=rng.choice([None, 0.25, 0.7, 2]),
        schedule=str(rng.choice(["0 2 * * 1", "0 2 1 * *", "0 2 * * 1,3"])),
    )


def ideas_of(rng: np.random.Generator, days: Array, start: Any, as_of: Any, *, marked: bool) -> Ideas:
    """Some 40 to 600 ideas over all days, or with no history before the window; held for up to eight market days."""
    first = FIRST if rng.random() < 0.75 else start.astype("datetime64[D]") - 20
    span = int((as_of.astype("datetime64[D]") - first) // DAY) - 1
    count, by = int(rng.choice([40, 120, 400, 600])), 7 if rng.random() < 0.3 else 1  # all on one day of the week
    on = first + np.sort(rng.integers(span // by, size=count)) * by * DAY
    hours = rng.integers(24, size=count) * rng.integers(2, size=count)  # every second at midnight
    odds, loss = float(rng.choice([0.5, 0.6, 0.85])), float(rng.choice([1, 2, 5]))
    rows, paths = [], []
    for time in np.sort(on.astype("datetime64[ns]") + hours * HOUR):
        path = days[np.searchsorted(days, time.astype("datetime64[D]")) :][: int(rng.integers(1, 10))]
        if not len(path):
            continue
        made = 0.01 * (1 if rng.random() < odds else -loss) * rng.lognormal(0, 0.5)
        marks = np.array([made])
        if marked:
            marks = rng.normal(0, 0.01, len(path))
            marks += (made - marks.sum()) / len(path)
        closed = max(time, path[-1].astype("datetime64[ns]") + int(rng.integers(1, 25)) * HOUR)
        known = closed + int(rng.choice([0, 0, 24])) * HOUR
        if closed < start and rng.random() < 0.05:
            known = start  # known at its very first instant
        if known <= as_of:
            rows.append((time, closed, known))
            paths.append((path if marked else np.array([day_of(closed)]), marks))
    made_by = [float(marks.sum()) for _, marks in paths]
    times = np.array(rows, dtype="datetime64[ns]").reshape(-1, 3)
    features = np.zeros((len(rows), 7), dtype=np.float32)
    features[:, 0] = np.arange(len(rows))
    return Ideas(
        symbol=np.array(["SPX"] * len(rows), dtype=np.str_),
        strategy=np.array([f"{number:04}" for number in range(len(rows))], dtype=np.str_),
        time=times[:, 0],
        features=features,
        outcome=np.array(made_by),
        closed_at=times[:, 1],
        known_at=times[:, 2],
        path_start=np.cumsum([0, *(len(path) for path, _ in paths)]).astype(np.int64),
        path_day=np.concatenate([path for path, _ in paths]),
        path_return=np.concatenate([marks for _, marks in paths]),
        atr=rng.uniform(0.002, 0.05, len(rows)),
    )


def approved(style: str, ideas: Ideas, rng: np.random.Generator, like: Array) -> Array:
    """What a model of this style approves; `like` is what another approved."""
    chance = rng.random(len(ideas))
    return {
        "none": chance < 0,
        "all": chance < 1,
        "few": chance < 0.05,
        "half": chance < 0.55,
        "same": like.copy(),
        "near": like ^ (chance < 0.05),
        "skilled": (ideas.outcome > 0) ^ (chance < 0.35),
        "unlucky": (ideas.outcome < 0) ^ (chance < 0.35),
    }[style]


def instant(moment: datetime) -> Any:
    """The instant of an aware datetime."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "ns")
