"""Checks of labelled ideas' features, classes and copies."""

from dataclasses import replace

import numpy as np
import pytest
from idea_worlds import world

from gatekeeper.features import FEATURES
from gatekeeper.market.data.checks.classes import unbalanced
from gatekeeper.market.data.checks.duplicates import copies
from gatekeeper.market.data.checks.features import implausible
from gatekeeper.market.ideas import Ideas, join

IDEAS, _ = world(1, 400)


def column(name: str, values: object) -> Ideas:
    features = IDEAS.features.copy()
    features[:, FEATURES.index(name)] = values
    return replace(IDEAS, features=features)


def found(ideas: Ideas) -> list[tuple[str, str]]:
    return [(str(each.severity), each.key) for each in implausible(ideas)]


@pytest.mark.parametrize("seed", range(20))
def test_no_false_alarm(seed: int) -> None:
    """A sentiment or order book that nobody has is 0, and no finding."""
    ideas, _ = world(seed, 400)
    assert found(ideas) == []
    assert unbalanced(ideas) is None
    assert copies(ideas) == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rsi14", 100.5, ("refused", "range:rsi14")),
        ("adx14", -1, ("refused", "range:adx14")),
        ("bbWidth", -0.01, ("refused", "range:bbWidth")),
        ("action", 2, ("refused", "range:action")),
        ("rsi14", 55, ("warning", "constant:rsi14")),
        ("avgSent", 0.5, ("warning", "constant:avgSent")),
        ("rsi14", IDEAS.features[:, 0] / 100, ("warning", "range:rsi14")),
        ("bbWidth", IDEAS.features[:, 3] * 100 + 1, ("warning", "range:bbWidth")),
        ("adx14", IDEAS.features[:, 0], ("warning", "same:rsi14:adx14")),
    ],
)
def test_what_is_found(name: str, value: object, expected: tuple[str, str]) -> None:
    assert expected in found(column(name, value))


def test_a_value_out_of_range_names_its_row() -> None:
    values = IDEAS.features[:, 0].copy()
    values[7] = 101
    (only,) = implausible(column("rsi14", values))
    when = str(IDEAS.time[7])[:16]
    assert only.message == f"rsi14 lies outside 0 to 100 in 1 of 400 ideas (X {when} 101). Fix or remove the rows."


@pytest.mark.parametrize(("won", "key"), [(19, "classes:won"), (20, None), (380, None), (381, "classes:lost")])
def test_classes_from_5_percent(won: int, key: str | None) -> None:
    only = unbalanced(replace(IDEAS, outcome=np.where(np.arange(400) < won, 0.01, -0.01)))
    assert (only.key if only else None) == key


@pytest.mark.parametrize(
    ("copied", "expected"), [(200, []), (201, ["warning"]), (380, ["warning"]), (381, ["refused"]), (400, ["refused"])]
)
def test_copies_under_another_name(copied: int, expected: list[str]) -> None:
    """Of 400: over half warned, over 95 % refused."""
    other = replace(IDEAS, strategy=np.full(400, "t"))
    outcome = other.outcome.copy()
    outcome[copied:] += 0.001
    both = join([IDEAS, replace(other, outcome=outcome)])
    assert [str(each.severity) for each in copies(both)] == expected
    if expected:
        assert copies(both)[0].key == "copies:X s:X t"


def test_copies_under_another_symbol() -> None:
    """Case 81: `BTC.csv` and `BTC (1).csv`."""
    (only,) = copies(join([IDEAS, replace(IDEAS, symbol=np.full(400, "X (1)"))]))
    assert (str(only.severity), only.key) == ("refused", "copies:X s:X (1) s")
