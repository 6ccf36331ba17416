"""`createdAt` as other tools write it."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from gatekeeper.registry.db.created_at import plausible, read, written

NOON = datetime(2025, 6, 3, 12, 0, 0, 123000, tzinfo=UTC)
NOON_MS = 1_748_952_000_123  # date -u -d '2025-06-03 12:00:00.123' +%s%3N


@pytest.mark.parametrize(
    ("stored", "instant"),
    [
        (NOON_MS, NOON),
        (float(NOON_MS), NOON),
        (str(NOON_MS), NOON),
        ("2025-06-03 12:00:00.123", NOON),
        ("2025-06-03T12:00:00.123Z", NOON),
        ("2025-06-03T14:00:00.123+02:00", NOON),
        ("2025-06-03 12:00:00.123000", NOON),
        (NOON.replace(tzinfo=None), NOON),
        (NOON.astimezone(timezone(timedelta(hours=5))), NOON),
        (1_748_952_000, NOON.replace(microsecond=0)),  # Case 69: epoch seconds, as `date +%s` prints them
        (1_748_952_000.123, NOON),
        ("1748952000", NOON.replace(microsecond=0)),
        ("1748952000.123", NOON),
        (Decimal("1748952000.123"), NOON),
        (NOON_MS * 1000, NOON),  # microseconds
        (str(NOON_MS * 1000), NOON),
        (NOON_MS * 1_000_000, NOON),  # nanoseconds
        ("1.748952000123e+12", NOON),  # milliseconds, as PostgreSQL writes large floats
        ("2025-06-03 12:00:00.123 UTC", NOON),
        ("2025-06-03 12:00:00.123+00", NOON),
        (None, None),
        (True, None),
        (b"\x00\xff", None),
        ("", None),
        ("last Tuesday", None),
        (10**30, None),
        (float("nan"), None),
        (float("inf"), None),
        ("-1e400", None),
        (Decimal("Infinity"), None),
    ],
)
def test_every_stored_kind_is_read_as_aware_utc(stored, instant):
    assert read(stored) == instant


@pytest.mark.parametrize(
    "stored",
    [0, 1_748_952, "1970-01-01", "1980-01-01 00:00:00", 978_307_200, 4_102_444_800, "2300-01-01", -1, "0001-01-01"],
)
def test_a_time_that_no_model_can_have_is_unknown(stored):
    """Case 69: 0, days or the like since 1970, the epochs of other clocks, and the future."""
    assert plausible(read(stored)) is None
    assert plausible(NOON) == NOON


def written_beside(sample: object, instant: datetime) -> object:
    """What a new row's `createdAt` would be in a table whose newest row has `sample`."""
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text('CREATE TABLE "RLModel" (id INTEGER PRIMARY KEY, "createdAt" BLOB)'))
        connection.execute(text('INSERT INTO "RLModel" ("createdAt") VALUES (:sample)'), {"sample": sample})
        return written(instant, connection, lambda: "DATETIME")


@settings(max_examples=60, deadline=None)
@given(
    instant=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # the zone comes beside
    sample=st.sampled_from(
        [
            NOON_MS,
            str(NOON_MS),
            "2025-06-03 12:00:00",
            "2025-06-03T12:00:00.123Z",
            "2025-06-03 12:00:00.123456+00:00",
            "?",
            1_748_952_000,
            1_748_952_000.5,
            "1748952000",
            NOON_MS * 1000,
            NOON_MS * 1_000_000,
        ]
    ),
)
def test_what_is_written_reads_back_and_has_the_kind_of_the_sample(instant, sample):
    stored = written_beside(sample, instant)
    assert type(stored) is type(sample)
    assert timedelta(0) <= instant - read(stored) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("sample", "stored"),
    [
        (0, NOON_MS),
        ("0", str(NOON_MS)),
        ("2025-01-01 00:00:00", "2025-06-03 12:00:00"),
        ("2025-01-01T00:00:00.000Z", "2025-06-03T12:00:00.123Z"),
        ("2025-01-01T00:00:00.000000+02:00", "2025-06-03T12:00:00.123000+00:00"),
        ("whenever", "2025-06-03 12:00:00.123000"),
        (1_600_000_000, 1_748_952_000),  # Case 69: a table in seconds stays one
        (1_600_000_000.5, 1_748_952_000.123),
        ("1600000000", "1748952000"),
        (1_600_000_000_000_000, NOON_MS * 1000),
        (1_600_000_000_000_000_000, NOON_MS * 1_000_000),
    ],
)
def test_a_new_row_is_written_as_the_newest_one(sample, stored):
    assert written_beside(sample, NOON) == stored
