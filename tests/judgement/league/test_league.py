"""League: multiple testing of many contenders, by hand, by `arch` called directly, and by chance."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from arch.bootstrap import SPA
from evaluation_documents import document
from msgspec import structs

from gatekeeper import config
from gatekeeper.documents import serialization
from gatekeeper.documents.evidence import DifferingIdeas, Evidence
from gatekeeper.errors import ConfigError
from gatekeeper.judgement import Policy, Scorecard, judge, sharpe_difference
from gatekeeper.judgement.league import league_document
from gatekeeper.judgement.league.gate import gate
from gatekeeper.judgement.league.league import Field, FieldResult, contest, standardised
from gatekeeper.judgement.rule.promotion import TODAY
from gatekeeper.judgement.statistics.bootstrap import block_length
from gatekeeper.judgement.statistics.sharpe import daily_influence
from gatekeeper.settings import Settings

pytestmark = pytest.mark.xdist_group("league")

DAYS, IDEAS, DRAWS = 240, 40, 200
YEAR = math.sqrt(252)


@pytest.fixture
def proven(policy: Policy) -> Policy:
    return structs.replace(policy, drawdown_allowance=1.0, too_good=100.0).with_name("proven")


@pytest.fixture
def entered(card: Callable[..., Scorecard]) -> Callable[..., Field]:
    """A champion and contenders whose annual Sharpe is better by `gains`; daily returns correlate by 0.9."""

    def make(gains: list[float], seed: int, days: int = DAYS) -> Field:
        rng = np.random.default_rng(seed)
        common, own = rng.standard_normal((days, 1)), rng.standard_normal((days, len(gains) + 1))
        returns = 0.01 * (math.sqrt(0.9) * common + math.sqrt(0.1) * own + np.array([0.0, *gains]) / YEAR)
        cards = [
            card(returns[:, number], name=f"gatekeeper_{number}", sha256=str(number), kept=np.arange(IDEAS) != number)
            for number in range(len(gains) + 1)
        ]
        return Field(cards[0], tuple(cards[1:]))

    return make


def answers(held: FieldResult, field: Field) -> list[str]:
    return [
        judge(card, field.champion, held.policy, many=gate(held, field, number)).answer
        for number, card in enumerate(field.contenders)
    ]


def test_each_days_part_adds_up_to_the_difference_and_varies_as_it_does(entered: Callable[..., Field]) -> None:
    """Against one day left out at a time: the jackknife, which knows nothing of gradients."""
    field = entered([1.0], 1)
    ours, theirs = field.contenders[0].daily, field.champion.daily
    parts = daily_influence(ours, theirs)
    whole = sharpe_difference(ours, theirs).delta
    assert parts.mean() == pytest.approx(whole, abs=1e-12)
    for day in (0, 17, 239):
        left = sharpe_difference(np.delete(ours, day), np.delete(theirs, day)).delta
        assert (DAYS - 1) * (whole - left) + whole == pytest.approx(parts[day], abs=0.02 * np.ptp(parts))


def test_what_each_day_adds_is_over_the_rate_like_the_gain(entered: Callable[..., Field], proven: Policy) -> None:
    """Case 88: the mean of the standardised days is the gain plus the tolerance in errors, at a rate of 3 % too."""
    rng = np.random.default_rng(6)
    field = entered([0.4, 0.9], 6)
    cards = [replace(card, exposed=rng.random(DAYS)) for card in (field.champion, *field.contenders)]
    field = Field(cards[0], tuple(cards[1:]))
    policy = structs.replace(proven, name="safe", risk_free=0.03)
    for card, gain in zip(field.contenders, contest(field, policy, draws=100).gains, strict=True):
        days = standardised(card, field.champion, gain, policy)
        assert gain.value != contest(field, proven, draws=100).gains[field.contenders.index(card)].value
        assert days.mean() * math.sqrt(DAYS) == pytest.approx((gain.value + 0.5) / gain.standard_error, abs=1e-9)


def test_the_statistic_is_archs_on_gains_in_units_of_their_errors(
    entered: Callable[..., Field], proven: Policy
) -> None:
    """`arch` called directly, on figures made here from the rule's own gain and error of each."""
    policy = structs.replace(proven, name="safe")
    field = entered([0.3, 0.9, -0.4], 2)
    rows = []
    for card in field.contenders:
        said = judge(card, field.champion, policy)
        annual = daily_influence(card.daily, field.champion.daily) * YEAR
        rows.append((annual + 0.5) / (said.standard_error * math.sqrt(DAYS)))
    columns = np.column_stack(rows)
    spa = SPA(np.zeros(DAYS), -columns, block_size=block_length(columns), reps=DRAWS, seed=5)
    spa.compute()
    held = contest(field, policy, draws=DRAWS, seed=5)
    assert held.test is not None
    assert held.test.p == spa.pvalues["consistent"]
    assert held.test.critical == pytest.approx(spa.critical_values(policy.single_alpha)["consistent"] * math.sqrt(DAYS))
    for number, row in enumerate(rows):
        said = held.alone[number]
        assert row.mean() * math.sqrt(DAYS) == pytest.approx((said.gain + 0.5) / said.standard_error)
        assert held.bound(number) == pytest.approx(said.gain - held.test.critical * said.standard_error)
        better = number in spa.better_models(policy.single_alpha)
        assert (gate(held, field, number).numbers["bound_of_many"] > -0.5) == better


def test_what_is_sure_alone_need_not_be_among_many(entered: Callable[..., Field], proven: Policy) -> None:
    """The critical value lies between the normal one of one test and Bonferroni's of as many, and rises with them."""
    few, many = entered([0.0] * 2, 3), entered([0.0] * 12, 3)
    critical = [contest(field, proven, draws=500).test.critical for field in (few, many)]
    assert 1.55 <= critical[0] < critical[1] < 2.9  # z of 6.06 % is 1.55, of 6.06 % / 12 it is 2.57: days aren't normal
    assert judge(many.contenders[0], many.champion, proven).gate("bound").numbers["z"] == 1.55


def test_the_best_that_is_sure_wins_and_the_others_are_told_by_whom(
    entered: Callable[..., Field], proven: Policy
) -> None:
    field = entered([1.6, 6.0, 0.0, 4.5], 4)
    proven = structs.replace(proven, gain_of_interest=9)
    held = contest(field, proven, draws=DRAWS)
    assert held.winner == 1
    assert answers(held, field) == ["keep", "promote", "keep", "keep"]
    beaten = judge(field.contenders[3], field.champion, proven, many=gate(held, field, 3))
    assert (beaten.decided_by, beaten.gate("bound").passed) == ("league", True)
    assert "gatekeeper_2 passes too and gained more" in beaten.message
    assert "gatekeeper_1, gatekeeper_2, gatekeeper_3" in beaten.message
    won = judge(field.contenders[1], field.champion, proven, many=gate(held, field, 1))
    assert "as one of 4 models compared" in won.message
    assert [each.name for each in won.gates][-2:] == ["plausible", "league"]


def test_who_gained_most_but_fails_a_gate_of_its_own_does_not_win(
    entered: Callable[..., Field], proven: Policy
) -> None:
    field = entered([6.0, 5.0], 4)
    deep = replace(field.contenders[0], max_drawdown=5.0)
    assert contest(Field(field.champion, (deep, field.contenders[1])), proven, draws=DRAWS).winner == 1
    few = replace(field.contenders[0], evidence=Evidence(DifferingIdeas(20, 20, 14, 200, 0.0), None))
    assert contest(Field(field.champion, (few, field.contenders[1])), proven, draws=DRAWS).winner == 1
    assert contest(field, proven, draws=DRAWS).winner == 0


def test_sure_alone_and_not_among_many_is_undecided_where_these_days_are_too_few(
    entered: Callable[..., Field], proven: Policy
) -> None:
    """With a gain of interest that they could have shown, it is kept."""
    for seed in range(40):
        field = entered([1.2] + [0.0] * 11, seed)
        held = contest(field, proven, draws=DRAWS)
        if held.alone[0].answer == "promote" and held.winner is None:
            break
    many = gate(held, field, 0)
    said = judge(field.contenders[0], field.champion, proven, many=many)
    assert (said.answer, said.decided_by) == ("undecided", "league")
    seen = many.numbers["detectable_gain"]
    assert seen == pytest.approx((held.test.critical + 0.8416212) * said.standard_error)
    assert "with 12 models compared only a Sharpe gain above" in said.message
    content_with_it = structs.replace(proven, gain_of_interest=seen)
    assert judge(field.contenders[0], field.champion, content_with_it, many=many).answer == "keep"


def test_one_that_decides_as_the_champion_can_not_win_and_spoils_nothing(
    entered: Callable[..., Field], proven: Policy
) -> None:
    field = entered([6.0, 0.0], 5)
    twin = replace(field.champion, name="gatekeeper_9", sha256="9")
    held = contest(Field(field.champion, (twin, *field.contenders)), proven, draws=DRAWS)
    assert held.winner == 1
    assert held.test == contest(field, proven, draws=DRAWS).test
    assert held.bound(0) is None
    alone = contest(Field(field.champion, (twin, twin)), proven, draws=DRAWS)
    assert (alone.winner, alone.test) == (None, None)
    assert gate(alone, Field(field.champion, (twin, twin)), 0).passed is None


def test_order_and_company_of_the_hopeless_change_no_winner(entered: Callable[..., Field], proven: Policy) -> None:
    field = entered([3.0, 8.0, -9.0], 6)
    turned = Field(field.champion, field.contenders[::-1])
    one, other = contest(field, proven, draws=DRAWS), contest(turned, proven, draws=DRAWS)
    assert one.winner is not None
    assert field.contenders[one.winner].name == turned.contenders[other.winner].name == "gatekeeper_2"
    assert one.test.critical == pytest.approx(other.test.critical)
    # Hansen's point against White's: one that is hopeless is not taken for one that might have been the best.
    without = contest(Field(field.champion, field.contenders[:2]), proven, draws=DRAWS)
    assert one.test.critical == pytest.approx(without.test.critical, abs=0.25)


def test_of_many_without_an_edge_one_is_promoted_no_oftener_than_the_look_allows(
    entered: Callable[..., Field], proven: Policy
) -> None:
    """Five models, all equal (`proven`) or all worse by the tolerance (`safe`): the best of them alone gets in oftener.

    40 looks at alpha 0.05: over 6 promotions would come of it once in 290 such tests.
    """
    alone = won = 0
    for seed in range(40):
        name, worse = (("proven", 0.0), ("safe", -0.5))[seed % 2]
        field = entered([worse] * 5, 1000 + seed, days=120)
        held = contest(field, structs.replace(proven, name=name, z=1.645), draws=100)
        alone += any(verdict.bound > (-0.5 if name == "safe" else 0) for verdict in held.alone)
        won += held.winner is not None
    assert won <= 6
    assert won < alone


@pytest.fixture
def kept(entered: Callable[..., Field], proven: Policy) -> Callable[..., list[str]]:
    """What is at fault in an evaluation of contender 2 of four, once its league was changed."""
    field = entered([1.6, 6.0, 0.0, 4.5], 4)
    cards = {"champion": field.champion, "challenger": field.contenders[1], "ungated": field.champion}
    written = league_document.document(contest(field, proven, draws=100), field, 1, {"gatekeeper_9": "it is gone"})
    both = int(np.count_nonzero(field.champion.kept & field.contenders[1].kept))
    agreement = {"both_kept": both, "only_challenger": 0, "only_champion": 0, "both_vetoed": 0}

    def faults(change: Callable[[dict], object] = lambda _: None) -> list[str]:
        league = serialization.as_object(written)
        change(league)
        changed = document(league=league, agreement=agreement)
        held, again, number = league_document.again(changed, cards, proven, "weekly", TODAY)
        assert number == 1
        return league_document.faults(changed, held, again)

    return faults


def test_what_is_kept_leads_to_the_same_end_again(kept: Callable[..., list[str]]) -> None:
    assert kept() == []


CHANGES: tuple[tuple[Callable[[dict], object], str], ...] = (
    (lambda league: league["contenders"][0].update(gain=9.0), "gatekeeper_1's gain in the league is"),
    (lambda league: league["contenders"][2].update(sharpe=9.0), "gatekeeper_3's sharpe in the league is"),
    (lambda league: league["contenders"][1].update(bound_of_many=9.0), "gatekeeper_2's bound_of_many"),
    (lambda league: league["contenders"][1].update(both_kept=0), "gatekeeper_2's both_kept"),
    (lambda league: league["contenders"][3].update(alone="keep"), "gatekeeper_4's alone"),
    (lambda league: league["contenders"][3]["daily"].__setitem__(0, 0.5), "gatekeeper_4's"),
    (lambda league: league.update(winner=0), "the league's winner is 1"),
    (lambda league: league["test"].update(critical=1.0), "the league's test is"),
    (lambda league: league.update(test=None), "the league's test is"),
)


def test_a_changed_league_is_told(kept: Callable[..., list[str]]) -> None:
    told = [(said, kept(change)) for change, said in CHANGES]
    assert [(said, found) for said, found in told if not any(said in each for each in found)] == []


def test_numbers_are_finite_and_the_same_again(entered: Callable[..., Field], proven: Policy) -> None:
    field = entered([0.2, 0.4], 7)
    one, other = contest(field, proven, draws=DRAWS), contest(field, proven, draws=DRAWS)
    assert one == other
    json.dumps([dict(gate(one, field, number).numbers) for number in range(2)], allow_nan=False)
    assert contest(field, structs.replace(proven, name="better"), draws=DRAWS).test is None
    assert gate(contest(field, structs.replace(proven, name="better")), field, 0) is None


def test_a_league_needs_a_test_and_the_judged_bytes() -> None:
    with pytest.raises(ConfigError, match=r"GATEKEEPER_LEAGUE=True.*Set GATEKEEPER_POLICY to safe or proven"):
        config.override(Settings(), {"league": True, "policy": "better"})
    with pytest.raises(ConfigError, match="Set GATEKEEPER_DEPLOY to judged"):
        config.override(Settings(), {"league": True, "deploy": "refit"})
    with pytest.raises(ConfigError, match="GATEKEEPER_LEAGUE_SIZE=0"):
        config.override(Settings(), {"league_size": 0})
