"""Monitoring checks and alarm deliveries: recorded once, bound to the bytes."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from registry_site import MONDAY, REFUSED

from gatekeeper.errors import ConfigError, DataError, ModelRefused


def keep(registry, number: int, *, as_of: datetime = MONDAY, **document: object):
    return registry.checks.record(registry.model(number), as_of=as_of, generation=1, document=document)


def test_a_look_is_kept_once(registry, add):
    """The first that was recorded stands; other bytes or another as-of are another look."""
    first, second = add(1), add(2)
    kept = keep(registry, first.id, text="one")
    assert keep(registry, first.id, text="another") == kept
    assert (kept.sha256, json.loads(kept.document_json), kept.generation) == (first.sha256, {"text": "one"}, 1)
    assert registry.checks.find(MONDAY, first.sha256) == kept
    assert registry.checks.find(MONDAY, second.sha256) is None
    other = keep(registry, second.id, text="one")
    later = keep(registry, first.id, as_of=MONDAY + timedelta(days=1), text="one")
    assert registry.checks.newest() == [later, other, kept]
    assert registry.checks.newest(limit=1) == [later]
    assert registry.checks.newest(limit=2, before=other.id) == [kept]


def test_an_as_of_of_another_zone_is_the_same_instant(registry, add):
    kept = keep(registry, add(1).id)
    there = MONDAY.astimezone(tz=datetime.now().astimezone().tzinfo)
    assert keep(registry, 1, as_of=there) == kept
    assert kept.as_of.tzinfo == UTC


def test_looks_that_race_are_one_row(site, registry, add):
    model = add(1)

    def look(number: int) -> int:
        with site.open() as mine:
            return keep(mine, model.id, text=number).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(look, range(8)))) == 1
    assert site.sql("SELECT count(*) FROM gatekeeper_check") == [(1,)]
    with pytest.raises(REFUSED):  # and the database itself keeps it so
        site.sql(
            "INSERT INTO gatekeeper_check (as_of, model_id, sha256, generation, document, at) "
            "SELECT as_of, model_id, sha256, generation, document, at FROM gatekeeper_check"
        )


def test_what_cant_be_kept_is_refused(site, registry, add):
    add(1)
    before = site.rows()
    with pytest.raises(DataError, match="JSON"):
        keep(registry, 1, value=float("nan"))
    with pytest.raises(ConfigError, match="no UTC offset"):
        keep(registry, 1, as_of=datetime(2018, 6, 4))  # noqa: DTZ001  # what is refused
    site.sql('INSERT INTO "RLModel" (id, version, path) VALUES (?, ?, ?)', 9, "gatekeeper_9", "models/none.onnx")
    with pytest.raises(ModelRefused):
        keep(registry, 9)
    site.sql('DELETE FROM "RLModel" WHERE id = 9')
    assert [row for row in site.rows() if row[0] != "sqlite_sequence"] == [
        row for row in before if row[0] != "sqlite_sequence"
    ]


def test_whom_an_alarm_has_reached(registry):
    assert registry.checks.alarm_reached("failed", "run") == set()
    for receiver in ("one", "two", "one"):
        registry.checks.note_alarm("failed", "run", receiver)
    assert registry.checks.alarm_reached("failed", "run") == {"one", "two"}
    assert registry.checks.alarm_reached("degraded", "run") == registry.checks.alarm_reached("failed", "other") == set()
