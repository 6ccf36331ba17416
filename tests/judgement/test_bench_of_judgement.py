"""Bench of judgement, the source of docs/why: its statistic is the package's, and all of it runs."""

import importlib
import json
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from gatekeeper.judgement.statistics.sharpe import sharpe_difference

BENCH = Path(__file__).parents[2] / "bench" / "judgement"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("judgement")


@pytest.mark.parametrize("kind", [{}, {"trend": 0.6}, {"kind": "ideas", "ideas": 60}])
def test_many_years_at_once_are_judged_as_one(bench: ModuleType, kind: dict[str, object]) -> None:
    setting = bench.Setting(0.8, **kind)
    nature = setting.nature(np.random.default_rng(4), 15, 120)
    a, b = (nature.stream(nature.own(), slice(0, 120), np.full((15, 1), skill)) for skill in (0.5, 0.0))
    for ours, one, other in zip(zip(*bench.seen(a, b), strict=True), a, b, strict=True):
        theirs = sharpe_difference(one, other)
        assert ours == pytest.approx((theirs.delta, theirs.standard_error), rel=1e-9)


def test_returns_are_what_the_setting_says(bench: ModuleType) -> None:
    """Correlation of two models, of a day and the next, and the true Sharpe: 1 and the skill."""
    for setting in (
        bench.Setting(0.8, trend=0.3),
        bench.Setting(0.8, kind="ideas", ideas=100),
        bench.Setting(0.95, kind="ideas", ideas=100, together=3),
        bench.Setting(kind="real"),
    ):
        nature, every = setting.nature(np.random.default_rng(1), 40, 1500), slice(0, 1500)
        a, b = (nature.stream(nature.own(), every, np.full((40, 1), skill)) for skill in (1.0, 0.0))
        assert np.mean([np.corrcoef(*rows)[0, 1] for rows in zip(a, b, strict=True)]) == pytest.approx(
            setting.rho, abs=0.02
        )
        sharpes = [float((rows.mean(axis=1) / rows.std(axis=1)).mean() * math.sqrt(252)) for rows in (a, b)]
        assert sharpes == pytest.approx([2.0, 1.0], abs=0.25)
        days = a - a.mean(axis=1, keepdims=True)
        if setting.trend:
            assert np.mean(days[:, 1:] * days[:, :-1]) / np.mean(days**2) == pytest.approx(setting.trend, abs=0.03)


def test_a_model_ages_from_the_end_of_its_training(bench: ModuleType) -> None:
    """By hand: 252 days are 50.4 weeks of holdout; the champion of a year's first look stays for 52 of them."""
    worlds, looks = (importlib.import_module(f"judgement_{name}") for name in ("worlds", "looks"))
    world, seen = worlds.World("ages", ages=0.52), slice(10, 262)
    skill = np.array([0.0, 1.0])
    assert world.shown(skill, 50.4, seen) == pytest.approx(np.array([[-0.504], [0.496]]))
    by_day = worlds.World("by day", ages=0.52, by_day=True).shown(skill, np.array([50.4, 60.4]), seen)
    assert by_day.shape == (2, 252)
    assert by_day[:, -1] == pytest.approx([-0.504, 0.396])
    assert by_day[:, 0] == pytest.approx([-0.002, 0.898])  # 251 days before: a fifth of a week, and ten weeks more
    kept = looks.simulated(world, bench.Setting(), 3, 0, (looks.NEVER,))["never"]
    assert kept["live"] == pytest.approx(-0.01 * (50.4 + 25.5))


def test_the_anytime_bound_is_the_papers(bench: ModuleType) -> None:
    """Waudby-Smith & al. (2024), one-sided, by hand: rho² t = 9 at 252 days, alpha 1/52: 3.1346 errors."""
    once = importlib.import_module("judgement_once")
    assert float(once.width(252)) == pytest.approx(math.sqrt(2 * 10 / 9 * math.log(1 + math.sqrt(10) * 26)))


def test_what_no_rule_can_avoid(bench: ModuleType) -> None:
    """By the table of the normal distribution: half of Phi(-1) where (1 - rho) / years is 0.25."""
    assert bench.unavoidable(0.5, (2, 2)) == pytest.approx(0.5 * 0.158655, abs=1e-6)


def test_it_runs_and_shows_every_table(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = ["--plots", str(tmp_path), "--figures", str(tmp_path / "judgement.json")]
    monkeypatch.setattr(sys, "argv", ["judgement.py", "--quick", "--processes", "1", *kept])
    bench.main()
    shown = capsys.readouterr().out
    assert shown.count("\n### ") == 17
    assert "nan" not in shown
    years = json.loads((tmp_path / "judgement.json").read_text())
    assert {row["policies"]["never"]["promotions"] for row in years} == {0}
    assert all((tmp_path / f"judgement-{name}.svg").stat().st_size < 200_000 for name in ("live", "power", "regret"))


def test_books_of_the_table_are_judged_through_the_whole_pipeline(bench: ModuleType) -> None:  # its path
    """Case 90: of eight ideas that win .9 and lose 9x, .9^8 = 43 % of the books show no loss; none may promote."""
    table = importlib.import_module("judgement_table")
    found = table.verdicts(table.ROWS[0].book, table.DAYS, 20, 7, **table.Z_207)
    assert found.promoted["better"] >= 0.2
    assert found.promoted["proven"] == 0


def test_books_whose_models_differ_in_few_weeks(bench: ModuleType) -> None:  # its path
    """As the pipeline counts them: so many weeks, and three ideas in each."""
    books, weeks = (importlib.import_module(f"judgement_{name}") for name in ("books", "weeks"))
    calendar = books.Calendar.of(weeks.DAYS)
    sides = books.contenders(books.midnight(calendar.every[books.HISTORY]))
    for count, together in ((1, 1), (4, 3)):
        book = weeks.in_weeks(count, books.normal(), together)(np.random.default_rng(5))
        run = books.backtest.run(books.Told(book, calendar).dataset(), calendar.settings(0), *sides)
        assert (run.challenger.evidence.differing.weeks, run.challenger.evidence.differing.count) == (
            count,
            count * together,
        )


def test_what_is_wanting_is_told_by_the_gate_s_own_words(bench: ModuleType) -> None:  # its path
    rehearsed = importlib.import_module("judgement_rehearsed")
    table, books = (importlib.import_module(f"judgement_{name}") for name in ("table", "books"))
    calendar = books.Calendar.of(table.DAYS)
    sides = books.contenders(books.midnight(calendar.every[books.HISTORY]))
    book = books.differing(np.random.default_rng(5), table.DAYS, books.normal(0.1), books.normal(), 1, base=240)
    run = books.backtest.run(books.Told(book, calendar).dataset(), calendar.settings(0), *sides)
    told = books.judge(run.challenger, run.champion, run.rules.policy.with_name("proven"), run.ungated).message
    assert (rehearsed.wants_trades(told), rehearsed.differing_weeks(told)) == (False, 1)
    few = books.differing(np.random.default_rng(5), table.DAYS, books.normal(), books.normal(), 1, base=20)
    first = books.backtest.run(books.Told(few, calendar).dataset(), calendar.settings(0), sides[0], None)
    assert rehearsed.wants_trades(books.judge(first.challenger, None, first.rules.policy, first.ungated).message)


def test_splits_are_taken_out_of_the_shares(bench: ModuleType, tmp_path: Path) -> None:  # its path
    """By hand: two new shares for an old one on 2003-02-18, so 48.30 on the day before is 24.15 of today's."""
    shares = importlib.import_module("judgement_shares")
    for symbol in shares.SYMBOLS:
        lines = ("2003-02-14,47,49,46,48.3,1,0", "2003-02-18,24,25,24,24.96,1,0")
        (tmp_path / f"{symbol}.csv").write_text("Date,Open,High,Low,Close,Volume,Adj Close\n" + "\n".join(lines) + "\n")
    bars = shares.bars(tmp_path).set_index(["symbol", "time"])["close"]
    assert bars["MSFT"].tolist() == [24.15, 24.96]
    assert bars["IBM"].tolist() == [48.3, 24.96]
    assert bars["AAPL", "2003-02-14"] == 24.15  # of its split in 2005
