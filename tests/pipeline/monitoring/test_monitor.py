"""Daily check: its figures against pandas, its sources, and a circuit breaker that really rolls back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from alarm_receiver import Receiver
from decision_samples import parsed
from msgspec import structs
from sqlalchemy import create_engine, text
from weekly_house import NOW, House

from gatekeeper import config
from gatekeeper.documents import check
from gatekeeper.errors import AsOfError, DataError, ModelRefused, NoModel, StaleData
from gatekeeper.features import FEATURES
from gatekeeper.pipeline.monitoring.check_document import starved
from gatekeeper.pipeline.monitoring.monitor import Monitored, monitor
from gatekeeper.registry.decision_log.line_format import Decision, Outcome
from gatekeeper.serving import Gatekeeper

pytestmark = pytest.mark.xdist_group("monitor")  # the house of conftest is made once
MONDAY = datetime(2018, 6, 4, 2, tzinfo=UTC)  # of conftest
AS_OF = datetime(2018, 12, 3, 4, 30, tzinfo=UTC)


def look(house: House, as_of: datetime = AS_OF, **changes: object) -> Monitored:
    settings = config.override(house.settings, changes)
    return monitor(as_of, house.registry, settings, now=NOW)


def live_frame(data: str, until: datetime = AS_OF - timedelta(days=21)) -> pd.DataFrame:
    """The ideas since the promotion that had started a longest hold before the as-of, straight from the file."""
    frame = pd.read_csv(data.partition(":")[2], parse_dates=["time", "closed_at"])
    return frame[(frame["time"] >= MONDAY) & (frame["time"] <= until)].reset_index(drop=True)


def features(frame: pd.DataFrame) -> np.ndarray:
    action = (frame["action"] == "buy").astype(float)
    return np.column_stack([*(frame[name] for name in FEATURES[:-1]), action]).astype(np.float32)


def annual_sharpe(frame: pd.DataFrame, kept: np.ndarray) -> float:
    """Booked on the day of the exit, a twentieth of the capital in each, on every day from the promotion's: some of
    these trades close on a Saturday, so this market has 365 days."""
    booked = (0.05 * frame["outcome"][kept]).groupby(frame["closed_at"][kept].dt.date).sum()
    days = pd.date_range(MONDAY.date(), (AS_OF - timedelta(days=1)).date())
    daily = booked.set_axis(pd.to_datetime(booked.index)).reindex(days, fill_value=0.0)
    return float(daily.mean() / daily.std(ddof=1) * 365**0.5)


def test_the_figures_are_those_of_pandas(house: House, data: str) -> None:
    """Replayed ideas: primary, model before it and ungated; the gain, and what the evaluation predicted."""
    seen = look(house).check
    assert seen is not None
    document, frame = seen.document, live_frame(data)
    kept = Gatekeeper(house.registry).score(features(frame)).approved
    cards = document.scorecards
    assert (document.source, cards.primary.ideas, cards.primary.kept_trades) == (
        "replayed", len(frame), int(kept.sum()),
    )  # fmt: skip
    everything = np.ones(len(frame), dtype=bool)
    assert cards.primary.sharpe == pytest.approx(annual_sharpe(frame, kept), abs=1e-9)
    assert cards.ungated.sharpe == pytest.approx(annual_sharpe(frame, everything), abs=1e-9)
    assert cards.before.sharpe == cards.ungated.sharpe  # model 1 lets everything through
    gain = document.gain
    assert gain.realised == pytest.approx(cards.primary.sharpe - cards.before.sharpe, abs=1e-9)
    (evaluation,) = house.registry.evaluations(2)
    verdict = evaluation.document.verdict
    assert (gain.measured, document.evaluation) == (verdict.gain, evaluation.id)
    prior = (0.5 / 1.6448536) ** 2  # 5 % of the gains before any test exceed the gain of interest
    assert gain.predicted == pytest.approx(verdict.gain * prior / (prior + verdict.standard_error**2))
    assert abs(gain.surprise) < 3
    assert (document.breaker.tripped, document.breaker.backtest_days) == (
        False, len(evaluation.document.days),
    )  # fmt: skip
    assert document.drift.drifted == ()
    assert [shift.name for shift in document.drift.shifts] == [*FEATURES, "score"]
    assert check.written(document) == seen.document_json  # every number finite, and read back as it was


def test_a_young_primary_makes_up_no_numbers(house: House) -> None:
    """A week after its promotion: no Sharpe, no gain, no drift; the text says how much is needed. Again: one row."""
    done = look(house, MONDAY + timedelta(days=7))
    assert done.check is not None
    assert look(house, MONDAY + timedelta(days=7)).check == done.check
    assert house.registry.checks.newest() == [done.check]
    document = done.check.document
    assert (document.enough, document.scorecards.primary.sharpe) == (False, None)
    assert (document.gain.realised, document.drift.shifts) == (None, ())
    assert "too few for a Sharpe (30 needed)" in done.summary
    assert "too few ideas to measure drift" in done.summary


def log_as_servers_do(house: House, frame: pd.DataFrame) -> None:
    """Scored by the primary's bytes when they came, and closed; those without an outcome stay open."""
    scores = Gatekeeper(house.registry).score(features(frame))
    rows = zip(frame.itertuples(), features(frame), scores.values, scores.approved, strict=True)
    decisions = [
        Decision(
            idea_id=f"bot-{number}", at=row.time.to_pydatetime(), time=row.time.to_pydatetime(), symbol=row.symbol,
            strategy=None, features=tuple(map(float, values)), score=float(score), threshold=0.55,
            approved=bool(approved), model_id=2, version=scores.version, sha256=scores.sha256, degraded=False,
        )
        for number, (row, values, score, approved) in enumerate(rows)
    ]  # fmt: skip
    assert house.registry.log_decisions(parsed(*decisions)).new == len(frame)
    outcomes = [
        Outcome(f"bot-{number}", row.outcome, closed, closed, False, closed)
        for number, row in enumerate(frame.itertuples())
        if not np.isnan(row.outcome)
        for closed in [row.closed_at.to_pydatetime()]
    ]
    house.registry.close_decisions(outcomes, all_or_none=True)


def promoted_then(house: House) -> None:
    """As if the promotion had been made on its Monday: what servers logged since then is what counts."""
    with create_engine(house.settings.db.reveal()).begin() as connection:
        connection.execute(text("UPDATE gatekeeper_promotion SET at = as_of"))


def test_logged_ideas_go_before_replayed_ones_and_say_the_same(house: House, data: str) -> None:
    """The same ideas through the servers' log: equal figures, scored again by the model before, and no skew."""
    replayed = look(house).check
    promoted_then(house)
    whole = live_frame(data, AS_OF - timedelta(days=2))
    whole.loc[whole["closed_at"] > AS_OF, "outcome"] = np.nan
    log_as_servers_do(house, whole)
    logged = look(house, AS_OF + timedelta(minutes=1)).check
    assert replayed is not None
    assert logged is not None
    assert (logged.document.source, logged.document.data) == ("logged", "sql:")
    for role in ("primary", "before", "ungated"):
        mine, theirs = (getattr(seen.document.scorecards, role) for seen in (logged, replayed))
        assert mine.kept_trades == theirs.kept_trades
        assert mine.sharpe == pytest.approx(theirs.sharpe, abs=1e-9)
    servers = logged.document.servers
    assert (servers.answered, servers.by_primary, servers.degraded) == (len(whole), len(whole), 0)
    assert servers.largest_difference < 1e-6
    only = look(house, AS_OF + timedelta(minutes=2), data="sql:")  # and where the log is all that there is
    assert only.check is not None
    assert only.check.document.scorecards.primary == logged.document.scorecards.primary


def worse(data: str, place: Path, from_: str) -> str:
    """The same ideas, but from that day on what the primary keeps loses."""
    frame = pd.read_csv(data.partition(":")[2])
    late = frame["time"] >= from_
    frame.loc[late, "outcome"] = np.where(frame.loc[late, "rsi14"] > 50, -0.01, 0.01) + frame.loc[late, "outcome"] / 100
    frame.to_csv(place, index=False)
    return f"ideas:{place}"


@pytest.fixture
def broken(house: House, data: str, tmp_path: Path) -> Callable[..., Monitored]:
    """A look at the house in a world that turned in August."""
    turned = worse(data, tmp_path / "turned.csv", "2018-08-01")
    return lambda **changes: look(house, data=turned, **changes)


def test_a_drawdown_too_deep_is_an_alarm_and_no_more(
    broken: Callable[..., Monitored], house: House, receiver: Receiver
) -> None:
    done = broken(alarms=receiver.url)
    assert done.check is not None
    seen = done.check.document.breaker
    assert seen.tripped
    assert seen.drawdown > seen.bound
    assert (done.rolled_back, house.registry.generation()) == (None, 2)
    assert done.summary.startswith("BREAKER: ")
    assert receiver.kinds == ["ALARM: breaker"]
    assert "`gatekeeper rollback` returns to the model before" in receiver.got[0]["message"]
    broken(alarms=receiver.url)
    assert receiver.kinds == ["ALARM: breaker"]  # once for this look


def test_where_it_is_allowed_the_predecessor_comes_back(
    broken: Callable[..., Monitored], house: House, receiver: Receiver
) -> None:
    """Leaving needs less proof than entering; what was left is quarantined, and the next look is at the other."""
    left = house.registry.model(2).sha256
    done = broken(breaker="rollback", alarms=receiver.url)
    assert (done.rolled_back, house.registry.generation()) == (3, 3)
    newest = house.registry.promotions()[0]
    assert (newest.kind, newest.to_id, newest.actor) == ("rollback", 1, "gatekeeper_monitor")
    assert "bound" in newest.reason
    assert house.registry.quarantined(left) is not None
    assert receiver.kinds == ["ALARM: breaker", "ALARM: rolled back"]
    again = broken(breaker="rollback", alarms=receiver.url)
    assert (again.rolled_back, house.registry.generation(), len(receiver.got)) == (None, 3, 2)
    assert again.check is not None
    assert again.check.model_id == 1
    assert "never evaluated" in again.summary


def test_a_hold_keeps_the_breaker_from_changing_the_primary(
    broken: Callable[..., Monitored], house: House, receiver: Receiver
) -> None:
    house.registry.hold(actor="ann", reason="audit")
    done = broken(breaker="rollback", alarms=receiver.url)
    assert (done.rolled_back, house.registry.generation()) == (None, 2)
    assert done.summary.startswith("Nothing was rolled back: a hold by ann is in force (audit)")
    assert "Nothing was rolled back: a hold by ann" in receiver.got[1]["message"]


def test_drift_is_told_once_for_a_reign(house: House, data: str, tmp_path: Path, receiver: Receiver) -> None:
    frame = pd.read_csv(data.partition(":")[2])
    frame.loc[frame["time"] >= "2018-08-01", "adx14"] += 30
    frame.to_csv(tmp_path / "moved.csv", index=False)
    moved = {"data": f"ideas:{tmp_path / 'moved.csv'}", "alarms": receiver.url}
    for day in range(2):
        seen = look(house, AS_OF + timedelta(days=day), **moved).check
        assert seen is not None
        assert "adx14" in seen.document.drift.drifted
        assert "rsi14" not in seen.document.drift.drifted
    assert receiver.kinds == ["drift"]
    assert receiver.got[0]["type"] == "info"


def test_a_primary_that_enters_too_few_is_told_of_once(house: House, receiver: Receiver) -> None:
    """Case 94: it approves enough, and the limit on open positions leaves it under the floor."""
    seen = look(house).check
    assert seen is not None
    document = seen.document
    card = document.scorecards.primary
    assert starved(document) is None
    for number, entered in enumerate((document.floor, document.floor - 1, document.floor - 2)):
        few = structs.replace(card, passed_over=card.kept_trades - entered)
        made = structs.replace(document, scorecards=structs.replace(document.scorecards, primary=few))
        as_of = AS_OF + timedelta(minutes=number + 1)
        generation = house.registry.generation()
        house.registry.checks.record(house.registry.model(2), as_of=as_of, generation=generation, document=made)
        look(house, as_of, alarms=receiver.url)
    assert receiver.kinds == ["ALARM: undecided"]
    assert f"entered 29 of the {card.kept_trades} ideas that it approved, under the floor of 30" in str(receiver.got[0])
    few = structs.replace(card, kept_trades=29, passed_over=0)  # of which it can't enter more
    assert starved(structs.replace(document, scorecards=structs.replace(document.scorecards, primary=few))) is None


def test_a_primary_that_servers_cant_load_is_told_of(house: House, receiver: Receiver) -> None:
    """The figures need its bytes: the look fails after the alarm."""
    for place in house.files_of(2):
        place.unlink()
    with pytest.raises(ModelRefused):
        look(house, alarms=receiver.url)
    assert receiver.kinds == ["ALARM: degraded"]
    assert "gatekeeper_1 answers instead of the primary" in receiver.got[0]["message"]
    for place in house.files_of(1):
        place.unlink()
    with pytest.raises(NoModel):
        look(house, AS_OF + timedelta(days=1), alarms=receiver.url)
    assert "no model can answer" in receiver.got[1]["message"]


def test_what_there_is_nothing_to_see_of_is_said(house: House, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    other = House(empty, house.settings.data.reveal())
    assert (look(other).check, "no primary" in look(other).summary) == (None, True)
    other.registry.close()
    nothing = look(house, data="sql:")
    assert (nothing.check, nothing.summary[:25]) == (None, "nothing was checked yet: ")


def test_impossible_looks_are_refused(house: House) -> None:
    with pytest.raises(AsOfError, match="lies in the future"):
        look(house, NOW + timedelta(days=1))
    with pytest.raises(AsOfError, match="beyond the bars of demo:"):
        look(house, datetime(2019, 6, 3, tzinfo=UTC), data="demo:")
    with pytest.raises(StaleData):
        look(house, datetime(2019, 6, 3, tzinfo=UTC))
    with pytest.raises(DataError, match="nowhere"):
        look(house, data="ideas:nowhere.csv")
    assert house.registry.checks.newest() == []


def test_logs_that_cant_be_used_are_said_and_the_replay_goes_on(house: House) -> None:
    """Case: outcomes of servers before Gatekeeper, which don't say when they were known."""
    with create_engine(house.settings.db.reveal()).begin() as connection:
        connection.execute(
            text(
                'INSERT INTO "RLDataset" (ts, symbol, "featureVec", action, outcome) '
                "VALUES ('2018-07-02 12:00:00', 'S0', '[1,2,3,4,5,6,1]', 'buy', 0.1)"
            )
        )
    done = look(house)
    assert done.check is not None
    assert done.check.document.source == "replayed"
    assert "the logged ideas can't be used" in done.summary
    assert "GATEKEEPER_MAX_HOLD" in done.summary


def test_settings_of_the_monitor_change_no_weekly_look(house: House) -> None:
    """Alarms and breaker bear on no verdict: the run key stays, so nothing is judged twice."""
    plain = house.run(MONDAY).key
    changes = {"breaker": "rollback", "breaker_level": 0.95, "alarms": "json://x", "alarm_levels": "kept=loud"}
    house.settings = config.override(house.settings, changes)
    assert house.run(MONDAY).key == plain
