"""Alarms: delivered to a real receiver, once, at the level set; a receiver that is down fails nothing."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from alarm_receiver import Receiver
from sqlalchemy import create_engine, text
from weekly_house import House

from gatekeeper import config
from gatekeeper.errors import ConfigError, DataError, StaleData
from gatekeeper.pipeline import alarms
from gatekeeper.pipeline.alarms import Alarm, levels, rehearse, tell, tell_promotion, tells_of_faults
from gatekeeper.setting_words import ALARM_KINDS
from gatekeeper.settings import Settings

LATER = datetime(2018, 12, 3, 2, tzinfo=UTC)
pytestmark = pytest.mark.xdist_group("monitor")  # the house of conftest is made once
SECRETS = ("geheim", "verborgen")


def to(*urls: str, **changes: object) -> Settings:
    return config.load({"alarms": " ".join(urls), **changes})


def alarm(kind: str, key: str = "one run", **more: Any) -> Alarm:
    return Alarm(kind, key, "something happened", "do this", **more)


def test_each_kind_has_the_loudness_that_was_asked_for(receiver: Receiver) -> None:
    """Loud ones say so in the title, and come as a failure; those that are off don't come."""
    settings = to(receiver.url, alarm_levels="promoted=loud failed=off, kept=quiet")
    for kind in alarms.LEVELS:
        tell(settings, None, alarm(kind))
    said = {message["title"]: message["type"] for message in receiver.got}
    assert said == {
        "Gatekeeper default: ALARM: promoted": "failure",
        "Gatekeeper default: kept": "info",
        "Gatekeeper default: undecided": "info",
        "Gatekeeper default: ALARM: degraded": "failure",
        "Gatekeeper default: ALARM: rolled back": "failure",
        "Gatekeeper default: ALARM: stale feed": "failure",
        "Gatekeeper default: data": "info",
        "Gatekeeper default: ALARM: breaker": "failure",
        "Gatekeeper default: drift": "info",
        "Gatekeeper default: approval": "info",
    }
    assert {message["message"] for message in receiver.got} == {"something happened\ndo this"}


def test_what_asks_for_a_person_is_loud_unless_its_kind_is_off(receiver: Receiver) -> None:
    settings = to(receiver.url)
    for kind in ("undecided", "kept"):
        tell(settings, None, alarm(kind, pressing=True))
    assert receiver.kinds == ["ALARM: undecided"]


@pytest.mark.parametrize("words", ["kept", "kept=shout", "keept=off", "=quiet", "kept=quiet loud"])
def test_levels_that_cant_be_read_name_the_word_and_the_choice(words: str) -> None:
    with pytest.raises(ConfigError, match=r"is not KIND=LEVEL. Kinds are promoted, .*; levels are off, quiet, loud"):
        to("json://127.0.0.1:1", alarm_levels=words)


def test_every_kind_that_can_be_set_has_its_loudness() -> None:
    assert tuple(alarms.LEVELS) == ALARM_KINDS
    assert levels(to("json://127.0.0.1:1", alarm_levels="kept=loud"))["kept"] == "loud"


def test_without_receivers_nothing_is_sent_or_imported(house: House, caplog: pytest.LogCaptureFixture) -> None:
    tell(to("  "), house.registry, alarm("failed"))
    assert caplog.text == ""


def test_an_alarm_reaches_a_receiver_once(house: House, receiver: Receiver) -> None:
    """By kind and run key, in any process: the registry keeps whom it has reached."""
    settings = to(receiver.url)
    for kind, key in [("failed", "a"), ("failed", "a"), ("degraded", "a"), ("failed", "b"), ("degraded", "a")]:
        tell(settings, house.registry, alarm(kind, key))
    assert receiver.kinds == ["ALARM: failed", "ALARM: degraded", "ALARM: failed"]


def test_a_receiver_that_is_down_hears_later_and_others_at_once(
    house: House, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers 500 first; nobody else is told again, nothing raises, and no log shows an address's secrets."""
    caplog.set_level(logging.DEBUG)
    with Receiver() as other:
        other.answer = 500
        settings = to(receiver.url, other.url, "json://127.0.0.1:1/geheim", "nonsense://geheim/verborgen")
        for _ in range(2):
            tell(settings, house.registry, alarm("failed"))
            other.answer = 200
        assert (len(receiver.got), len(other.got)) == (1, 1)
        down = "the alarm 'failed' did not reach json #2: "
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name == "gatekeeper")
    assert ours.count(down) == 1
    assert ours.count("did not reach json #3") == 2
    assert ours.count("did not reach nonsense #4: apprise can't read this address") == 2
    shown = "\n".join(record.getMessage() for record in caplog.records)
    assert not any(secret in shown for secret in SECRETS)
    assert not any(secret in repr(settings) + str(config.sources(settings)) for secret in SECRETS)


def test_with_the_registry_away_everybody_is_told(house: House, receiver: Receiver) -> None:
    """It may be the very thing that the alarm is about."""
    with create_engine(house.settings.db.reveal()).begin() as connection:
        connection.execute(text("ALTER TABLE gatekeeper_alarm RENAME TO gone"))
    tell(to(receiver.url), house.registry, alarm("failed"))
    assert receiver.kinds == ["ALARM: failed"]


def test_the_weekly_steps_tell_how_they_ended(house: House, receiver: Receiver) -> None:
    """Kept, with a verdict of its own, then a promotion; each once, however often the step runs."""
    house.settings = config.override(house.settings, {"alarms": receiver.url, "alarm_levels": "kept=quiet"})
    _, handed = house.until("promote", LATER, recipe="hist_gradient_boosting", policy="proven")
    assert not handed["promoted"]
    ended = "undecided" if handed["verdict"] == "undecided" else "kept"
    assert receiver.kinds == [ended]
    assert f"gatekeeper explain {handed['model_id']}" in receiver.got[0]["message"]
    house.week(LATER, recipe="hist_gradient_boosting", policy="proven")
    assert receiver.kinds == [ended]


def test_a_promotion_is_told_once_for_its_generation(house: House, receiver: Receiver) -> None:
    """By the weekly step, by hand or by a rollback: one message for one change."""
    settings = to(receiver.url)
    (newest, *_) = house.registry.promotions()
    for _ in range(2):
        tell_promotion(settings, house.registry, newest)
    tell_promotion(settings, house.registry, house.registry.rollback(actor="ann", reason="it loses"))
    assert receiver.kinds == ["promoted", "ALARM: rolled back"]
    assert (
        "Promoted gatekeeper_primary2 (generation 2), was gatekeeper_primary1.\nweekly by" in receiver.got[0]["message"]
    )
    assert (
        "Rolled back to gatekeeper_primary1 (generation 3), was gatekeeper_primary2.\nrollback by ann: it loses"
        in receiver.got[1]["message"]
    )


def test_a_fault_is_told_by_its_kind_and_goes_on(receiver: Receiver) -> None:
    settings = to(receiver.url)
    for fault in (StaleData("nothing new for 20 days"), DataError("sqlite://ann:geheim@place is gone")):
        with pytest.raises(type(fault)), tells_of_faults(settings, "a run", "the step"):
            raise fault
    assert receiver.kinds == ["ALARM: stale feed", "ALARM: failed"]
    assert receiver.got[0]["message"] == "the step failed\nStaleData: nothing new for 20 days [stale_data]"
    assert "geheim" not in receiver.got[1]["message"]


def test_a_rehearsal_says_who_has_it(receiver: Receiver) -> None:
    arrived, lost = rehearse(to(receiver.url, "json://ann:geheim@127.0.0.1:1/x"))
    assert (arrived.receiver, arrived.fault) == ("json #1", None)
    assert lost.receiver == "json #2"
    assert lost.fault is not None
    assert receiver.got[0]["title"] == "Gatekeeper default: test"
    with pytest.raises(ConfigError, match="GATEKEEPER_ALARMS names no receiver"):
        rehearse(to(""))
