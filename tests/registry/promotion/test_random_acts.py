"""Random sequences of acts against the rules: promotions, rollbacks, holds, weekly runs, retries, two writers."""

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from random_acts import RandomActs, registered
from registry_site import Site

AT_ONCE = 50


@pytest.mark.parametrize("steps", [1_000, pytest.param(50_000, marks=[pytest.mark.stress, pytest.mark.timeout(3600)])])
def test_no_sequence_of_acts_ends_otherwise_than_the_rules_say(
    template: Callable[[Callable[[Site], object]], Site], steps: int, figures: Callable[[str], None]
) -> None:
    """Cases 64 to 68 and their kin: what an act says is what the registry holds, after any acts before it."""
    place, began = template(registered), time.monotonic()
    with RandomActs.on(place) as here:
        while here.steps < steps:
            rounds = min(1000, -(-(steps - here.steps) // AT_ONCE))
            wanted = settings(
                max_examples=rounds,
                stateful_step_count=AT_ONCE,
                deadline=None,
                database=None,
                phases=[Phase.generate],  # a sequence is printed as it was: each part of it takes a registry to try
                suppress_health_check=list(HealthCheck),
            )
            run_state_machine_as_test(here, settings=wanted)
    took = time.monotonic() - began
    figures(f"{place.dialect}: {here.steps} acts in {took:.0f} s, {here.made} made, {here.refused} refused")
    assert here.made > steps / 20
    assert here.refused > steps / 20
