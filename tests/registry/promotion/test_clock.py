"""Clock of acts: the database's time, as-ofs beyond it, and Mondays after an act by hand (cases 66 and 67)."""

from datetime import UTC, datetime, timedelta

import pytest
from registry_site import MONDAY, check_history, own_model

from gatekeeper.errors import AsOfError, ClockBehind, ConfigError, EvaluationOutdated
from gatekeeper.registry import Registry
from gatekeeper.registry.db import database

WEEK = timedelta(weeks=1)
AHEAD = timedelta(days=400)
SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def known_to(instant: datetime) -> dict[str, object]:
    """As much of a document as says which data were judged."""
    return {"data": {"source": "candles:x", "newest": instant.isoformat(), "notes": [], "fingerprint": "ab"}}


@pytest.fixture
def weekly(registry: Registry, judged):
    """A weekly run: judges a model as of some weeks after MONDAY and, with the verdict `promote`, promotes it."""

    def run(model_id: int, weeks: int, verdict: str = "promote", newest: datetime | None = None):
        document = known_to(newest or MONDAY + weeks * WEEK)
        key = f"week {weeks} {model_id} {registry.generation()}"
        made = judged(registry.model(model_id), weeks=weeks, verdict=verdict, document=document, run_key=key)
        if verdict != "promote":
            return made
        order = {"actor": "weekly", "reason": "better", "kind": "weekly", "run_key": key, "as_of": made.as_of}
        return registry.promote(model_id, evaluation=made.id, expected_generation=made.generation, **order)

    return run


@pytest.fixture
def three(registry: Registry, add) -> Registry:
    for number in (1, 2, 3):
        add(number)
    return registry


# Acts by hand on historical data (case 67)


@pytest.mark.parametrize("act", ["promote", "rollback", "adopted"])
def test_mondays_after_an_act_by_hand_go_on(three: Registry, site, weekly, act: str) -> None:
    """Case 67: on data that end years ago, the act's as-of is that of the newest evaluation."""
    weekly(1, 0)
    weekly(2, 1)
    weekly(3, 2, verdict="keep")
    if act == "promote":
        three.promote(1, actor="ann", reason="r")
    elif act == "rollback":
        three.rollback(actor="ann", reason="r")
    else:
        site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_2' WHERE id = 2")
        site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary1' WHERE id = 1")
        three.examine(2)  # it finds out, and records it
    made = three.promotions()[0]
    assert made.as_of == MONDAY + 2 * WEEK
    for weeks in (0, 1, 2):
        why = three.not_eligible(MONDAY + weeks * WEEK)
        assert why is not None
    assert three.not_eligible(MONDAY + 3 * WEEK) is None
    assert weekly(3, 4).as_of == MONDAY + 4 * WEEK
    check_history(three)


def test_a_monday_before_the_act_says_which_act(three: Registry, weekly) -> None:
    weekly(1, 0)
    weekly(2, 1)
    weekly(3, 4, verdict="keep")
    made = three.rollback(actor="ann", reason="r")
    told = f"{made.at:%Y-%m-%d %H:%M} UTC, which knew the data as of 2018-07-02 02:00 UTC"
    assert three.not_eligible(MONDAY + 3 * WEEK) == f"as-of 2018-06-25 02:00 UTC lies before the rollback of {told}"
    with pytest.raises(EvaluationOutdated, match=r"lies before the rollback of 20.* An older as-of never replaces"):
        weekly(3, 3)
    three.promote(3, actor="ann", reason="r")
    assert "lies before the promotion by hand of " in three.not_eligible(MONDAY + 3 * WEEK)
    assert three.not_eligible(MONDAY) == "a later week (as of 2018-06-11 02:00 UTC) was promoted already"
    assert three.not_eligible(MONDAY + WEEK) == "this week was promoted already"
    assert three.not_eligible(MONDAY + 3 * WEEK, generation=2) is None  # as it was before the acts
    assert three.not_eligible(MONDAY, generation=1) == "this week was promoted already"


def test_an_act_by_hand_is_never_dated_before_what_it_knew(three: Registry, weekly) -> None:
    """A backfill of an older week was judged last: the weeks that were promoted already stay the highest."""
    weekly(1, 5)
    weekly(2, 1, verdict="keep")
    assert three.promote(2, actor="ann", reason="r").as_of == MONDAY + 5 * WEEK


@pytest.mark.parametrize(("days", "historical"), [(364, False), (366, True)])
def test_historical_data_end_over_a_year_before_they_were_judged(three: Registry, weekly, days, historical) -> None:
    with three._context.database.read() as connection:
        at = database.now(connection)
    weekly(1, 0, newest=at - timedelta(days=days))
    made = three.promote(2, actor="ann", reason="r")
    assert made.as_of == (MONDAY if historical else made.at)


def test_without_an_evaluation_it_is_the_databases_clock(three: Registry, judged) -> None:
    started = datetime.now(UTC) - timedelta(seconds=1)
    assert started < three.promote(1, actor="ann", reason="r").as_of <= datetime.now(UTC) + timedelta(seconds=1)
    judged(three.model(2), document={"data": {"newest": "soon"}})
    judged(three.model(2), kind="copied", document=known_to(MONDAY), run_key="copied")
    made = three.promote(2, actor="ann", reason="r")  # a document of another make says nothing
    assert made.as_of == made.at


def test_only_weekly_runs_count_as_the_highest_as_of(three: Registry, judged, weekly) -> None:
    """Case 66's half: an act by hand today doesn't end the Mondays behind it: next Monday's as-of is later."""
    three.promote(1, actor="ann", reason="r")
    assert three.promote(2, **by(judged(three.model(2), today=True))).kind == "weekly"
    with three._context.database.read() as connection:
        from gatekeeper.registry.models import catalogue

        assert catalogue.highest_as_of(connection) == three.promotions()[0].as_of
    three.rollback(actor="ann", reason="r")
    assert three.promote(3, **by(judged(three.model(3), today=True))).kind == "weekly"


def by(evaluation) -> dict[str, object]:
    return {"actor": "weekly", "reason": "better", "evaluation": evaluation.id, "kind": "weekly"}


# As-ofs beyond the clock (case 66)


def test_an_as_of_beyond_the_databases_clock_is_refused_everywhere(three: Registry, site, judged) -> None:
    before = site.rows(), site.files()
    beyond = datetime.now(UTC) + timedelta(hours=1)
    match = r"^The as-of 20.* lies in the future: it is 20.* UTC by the clock of the registry's database"
    with pytest.raises(AsOfError, match=match):
        judged(three.model(1), as_of=beyond)
    with pytest.raises(AsOfError, match=match):
        three.checks.record(three.model(1), as_of=beyond, generation=0, document={})
    with pytest.raises(AsOfError, match=match):
        three.refuse_future(beyond)
    three.refuse_future(datetime.now(UTC) - timedelta(hours=1))
    assert (site.rows(), site.files()) == before


def test_an_as_of_that_is_a_moment_ahead_is_told_to_the_digit(three: Registry, monkeypatch) -> None:
    """The refusal named the same second twice."""
    at = datetime(2026, 1, 5, 10, 0, 0, 250_000, tzinfo=UTC)
    monkeypatch.setattr("gatekeeper.registry.promotion.clock.database.now", lambda _: at)
    with pytest.raises(AsOfError, match=r"as-of 2026-01-05 10:00:00\.250400 UTC .* is 2026-01-05 10:00:00\.250000 UTC"):
        three.refuse_future(at + timedelta(microseconds=400))
    with pytest.raises(AsOfError, match=r"as-of 2026-01-05 10:00:01 UTC .* is 2026-01-05 10:00:00 UTC"):
        three.refuse_future(at + timedelta(seconds=1))


def test_a_stored_evaluation_beyond_the_clock_promotes_nothing(three: Registry, site, judged) -> None:
    made = judged(three.model(1))
    beyond = (datetime.now(UTC) + AHEAD).strftime("%Y-%m-%d %H:%M:%S.000000")
    site.sql("UPDATE gatekeeper_evaluation SET as_of = ?", beyond)
    before = site.rows(), site.files()
    with pytest.raises(AsOfError, match="lies in the future"):
        three.promote(1, **by(made))
    assert (site.rows(), site.files()) == before


def left_ahead(three: Registry, site, judged, monkeypatch) -> None:
    """What a machine whose clock ran 400 days ahead leaves: a week judged and promoted, and a model by hand."""
    now = database.now
    with monkeypatch.context() as patch:
        patch.setattr("gatekeeper.registry.promotion.clock.database.now", lambda connection: now(connection) + AHEAD)
        as_of = datetime.now(UTC) + AHEAD - timedelta(hours=1)
        three.promote(1, **by(judged(three.model(1), as_of=as_of, run_key="ahead")))
        three.promote(2, actor="ann", reason="r")
    assert three.promotions()[0].at > datetime.now(UTC) + AHEAD - timedelta(minutes=5)


def test_a_clock_that_ran_ahead_is_named_and_mended(three: Registry, site, judged, monkeypatch) -> None:
    """Case 66: one promotion with the clock 400 days ahead; every Monday until then was `what-if`, and all was well."""
    left_ahead(three, site, judged, monkeypatch)
    with pytest.raises(ClockBehind, match=r"as-of 20.* was promoted, but it is 20.*`gatekeeper doctor --repair`"):
        three.refuse_future(MONDAY)
    with pytest.raises(ClockBehind):
        judged(three.model(3), today=True)
    found = [(one.kind, one.model_id, one.repairable) for one in three.doctor().findings]
    assert found == [("ahead", 1, True), ("ahead", 2, True), ("ahead", 1, True)]
    assert all("ahead of the clock" in one.text for one in three.doctor().findings)
    chain = [row.chain for row in three.promotions()]
    done = three.doctor(repair=True)
    assert (done.well, {one.kind for one in done.repaired}) == (True, {"ahead"})
    assert [row.chain for row in three.promotions()] == chain, "a mark is no part of the hash"
    assert all(row.discounted_at is not None for row in three.promotions())
    assert three.not_eligible(MONDAY) is None
    made = three.promote(3, **by(judged(three.model(3), today=True)))
    assert (made.kind, made.generation) == ("weekly", 3)
    assert three.rollback(actor="ann", reason="r").to_id == 2
    assert three.doctor().well
    check_history(three)


@SQLITE
def test_on_sqlite_nothing_is_written_before_what_is_stored(three: Registry, site, judged, monkeypatch) -> None:
    """Its clock is the host's: set back, it would order acts wrongly."""
    three.promote(3, actor="ann", reason="r")
    left_ahead(three, site, judged, monkeypatch)
    before = site.rows(), site.files()
    match = r"^It is 20.* by this machine's clock, but the registry holds an act of 20.*`gatekeeper doctor --repair`"
    for act in (
        lambda: three.promote(3, actor="ann", reason="r"),
        lambda: three.rollback(actor="ann", reason="r"),
        lambda: three.examine(3),
    ):
        with pytest.raises(ClockBehind, match=match):
            act()
    site.sql("UPDATE gatekeeper_promotion SET as_of = '2018-01-01 00:00:00.000000'")
    with pytest.raises(ClockBehind, match=match):
        judged(three.model(3))
    site.sql("UPDATE gatekeeper_promotion SET at = as_of")
    with pytest.raises(ClockBehind, match=match):  # the evaluation's time lies ahead, too
        three.promote(3, actor="ann", reason="r")
    assert (site.rows() == before[0], site.files()) == (False, before[1])
    assert three.generation() == 3


def test_a_model_that_was_made_ahead_is_adopted_as_of_now(three: Registry, site) -> None:
    """`createdAt` is another tool's: no as-of of ours lies beyond the database's clock."""
    created = "'2999-01-01 00:00:00.000000'" if site.dialect == "sqlite" else "TIMESTAMPTZ '2999-01-01'"
    site.sql(f'UPDATE "RLModel" SET version = \'gatekeeper_primary1\', "createdAt" = {created} WHERE id = 1')
    three.promote(2, actor="ann", reason="r")
    adopted = three.promotions()[1]
    assert (adopted.kind, adopted.as_of) == ("adopted", adopted.at)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_utc_does_not_have_is_refused_everywhere(three: Registry, judged, text: str) -> None:
    """Python has it with its offset, and no database has it."""
    beyond = datetime.fromisoformat(text)
    with pytest.raises(ConfigError, match="beyond the years 1 to 9999"):
        three.hold(actor="ann", reason="r", until=beyond)
    with pytest.raises(ConfigError, match="beyond the years 1 to 9999"):
        judged(three.model(2), as_of=beyond)
    with pytest.raises(ConfigError, match="beyond the years 1 to 9999"):
        three.register(own_model(9), trained_to=beyond)
    assert three.holds() == []
