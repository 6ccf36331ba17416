"""Misspelt settings: refused, with the nearest name."""

import pytest

from gatekeeper import config
from gatekeeper.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("GATEKEEPER_TRESHOLD", "GATEKEEPER_THRESHOLD"),
        ("GATEKEEPER_HOLDOUT_DAY", "GATEKEEPER_HOLDOUT_DAYS"),
        ("GATEKEEPER_APROVAL", "GATEKEEPER_APPROVAL"),
        ("gatekeeper_on_nomodel", "GATEKEEPER_ON_NO_MODEL"),
        ("GATEKEEPER_DESSKS", "GATEKEEPER_DESKS"),
    ],
)
def test_it_is_refused_and_the_nearest_is_named(given: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(given, "0.7")
    with pytest.raises(ConfigError, match=rf"{given.upper()} is not a setting. Did you mean {meant}\?"):
        config.load()


def test_names_of_others_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Kubernetes sets for a service called gatekeeper, and what our own tests and Makefile use."""
    expected = config.load()
    for name in ("SERVICE_HOST", "SERVICE_PORT", "PORT_8055_TCP", "PORT_8055_TCP_ADDR", "NO_SKIPS", "PICTURES"):
        monkeypatch.setenv(f"GATEKEEPER_{name}", "tcp://10.0.0.1:8055")
    assert config.load() == expected


def test_a_name_counts_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("gatekeeper_Threshold", "0.7")
    assert config.load().threshold == 0.7
