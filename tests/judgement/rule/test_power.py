"""Power analysis: against the closed form, scipy, and a simulation of the rule itself."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from evaluation_documents import document
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from pydantic import ValidationError
from scipy import stats

from gatekeeper.documents.evaluation import Scorecards
from gatekeeper.errors import ConfigError, DataError
from gatekeeper.judgement import Policy, judge, policy_of
from gatekeeper.judgement.rule.gains import between
from gatekeeper.judgement.rule.power import measured, sights, supposed
from gatekeeper.judgement.statistics.sharpe import sharpe_difference
from gatekeeper.settings import Settings


def test_the_closed_form_is_the_one_of_the_issue() -> None:
    """SE = sqrt(2 (1 - rho) / years): 0.63 in a year at 0.8, and half of it in four."""
    assert supposed(0.8, 1.0).standard_error == pytest.approx(0.6324555320, abs=1e-9)
    assert supposed(0.8, 1.0).over(4.0) == pytest.approx(0.3162277660, abs=1e-9)


def test_the_closed_form_is_what_many_days_measure() -> None:
    """At small Sharpe ratios, on normal days, by the error that the rule uses."""
    rng = np.random.default_rng(4)
    common = rng.normal(0, 1, 252 * 40)
    a, b = (0.9**0.5 * common + 0.1**0.5 * rng.normal(0, 1, len(common)) for _ in range(2))
    error = sharpe_difference(a, b).standard_error
    assert error is not None
    assert error * math.sqrt(252) == pytest.approx(supposed(0.9, 40.0).standard_error, rel=0.05)


def test_every_policy_sees_what_the_normal_says(policy: Policy) -> None:
    by = supposed(0.8, 1.0)
    error, able = by.standard_error, stats.norm.ppf(0.8)
    found = {each.policy: each for each in sights(policy, by, [1.0])}
    assert found["better"].detectable == pytest.approx(able * error, abs=1e-9)
    assert found["safe"].detectable == pytest.approx((able + 2.11) * error - 0.5, abs=1e-9)
    assert found["proven"].detectable == pytest.approx((able + 1.55) * error, abs=1e-9)
    assert found["better"].promotes_equals == pytest.approx(0.5, abs=1e-12)
    assert found["safe"].promotes_equals == pytest.approx(stats.norm.cdf(0.5 / error - 2.11), abs=1e-9)
    assert found["proven"].promotes_equals == pytest.approx(stats.norm.sf(1.55), abs=1e-9)


@given(st.floats(0, 0.99), st.floats(0.25, 10))
def test_longer_windows_and_weaker_policies_see_more(correlation: float, years: float) -> None:
    rule = policy_of(Settings(false_promotions_a_year=1.0), 252)  # one budget: with its own, `safe` may ask for more
    short, long = (sights(rule, supposed(correlation, 1.0), [length]) for length in (years, 2 * years))
    for before, after in zip(short, long, strict=True):
        assert after.detectable < before.detectable
    assert short[0].detectable <= short[1].detectable <= short[2].detectable


def test_an_evaluation_says_what_its_days_were_worth(pair: Any, small: Policy, golden: dict[str, Any]) -> None:
    challenger, champion = pair
    verdict, card = judge(challenger, champion, small), challenger.record()
    told = structs.replace(
        document(), verdict=verdict, scorecards=Scorecards(card, champion.record(), structs.replace(card, name="all"))
    )
    by = measured(told)
    row = golden["sharpe_difference"]["ten_days"] | golden["sharpe_difference_unit_free"]["ten_days"]
    assert by.standard_error == pytest.approx(row["se_hac"] * math.sqrt(252), abs=1e-9)
    assert by.years == pytest.approx(10 / 252)
    assert by.correlation == pytest.approx(stats.pearsonr(row["a"], row["b"])[0], abs=1e-9)
    untold = structs.replace(told, verdict=structs.replace(verdict, standard_error=None))
    with pytest.raises(DataError, match="name the correlation"):
        measured(untold)


@pytest.mark.parametrize(("correlation", "years"), [(1.0, 1.0), (-1.5, 1.0), (0.5, 0.0), (math.nan, 1.0)])
def test_what_can_not_be_is_refused(correlation: float, years: float) -> None:
    with pytest.raises(ConfigError):
        supposed(correlation, years)


def test_undecided_says_which_holdout_or_how_many_more_ideas_detect_the_gain(
    pair: Any, golden: dict[str, Any], small: Policy
) -> None:
    """The golden ten days under `proven`: the days grow by the square of what the error is too large by. Case 92."""
    row = golden["sharpe_difference"]["ten_days"] | golden["sharpe_difference_unit_free"]["ten_days"]
    a, b = pair
    proven = structs.replace(small, name="proven", z=3.09)
    gain = between(a, b, proven).shown
    reach = stats.t.isf(stats.norm.sf(3.09), 39) + stats.norm.ppf(0.8)
    needed = 10 * (reach * row["se_hac"] * math.sqrt(252) / 0.5) ** 2
    assert gain.days_needed == math.ceil(needed)
    verdict = judge(a, b, proven)
    assert verdict.answer == "undecided"
    detectable = reach * row["se_hac"] * math.sqrt(252)
    assert f"With this window only a Sharpe gain above {detectable:.4g} is detectable" in verdict.message
    days = math.ceil(needed * 365 / 252 / 10) * 10
    assert f"Detecting 0.5 needs a longer holdout: about {days} days plus the embargo (" in verdict.message
    ideas = 40 * 252 / 10 * ((reach * row["se_hac"] * math.sqrt(252) / 0.5) ** 2 - 1)
    assert f"{math.ceil(ideas)} more ideas a year of the same kind" in verdict.message
    assert verdict.gate("bound").numbers["days_needed"] == math.ceil(needed)
    longer = structs.replace(proven, gain_of_interest=5.0)
    assert "needs a" not in judge(a, b, longer).message  # this window detects what is wanted then


def test_a_window_that_starts_after_a_models_data_grows_no_further_than_the_holdout(pair: Any, small: Policy) -> None:
    window = structs.replace(pair[0].window, bound_by="the data of gatekeeper_primary1")
    a, b = (replace(card, window=window) for card in pair)
    message = judge(a, b, structs.replace(small, name="proven", z=3.09)).message
    assert "this one starts after the data of gatekeeper_primary1 and grows each week, up to the holdout" in message


def test_no_holdout_is_promised_beyond_the_longest_that_can_be_set(pair: Any, small: Policy) -> None:
    a, b = pair
    message = judge(a, b, structs.replace(small, name="proven", z=3.09, gain_of_interest=0.1)).message
    assert "longer holdout" not in message
    assert "GATEKEEPER_HOLDOUT_DAYS may be at most 3650" in message
    assert Settings(holdout_days=3650).holdout_days == 3650
    with pytest.raises(ValidationError):
        Settings(holdout_days=3651)
