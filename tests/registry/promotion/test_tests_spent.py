"""Tests spent: one weekly run is one as-of with its settings, and repeating it costs nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from registry_site import MONDAY

from gatekeeper.registry import Evaluation, Registry
from gatekeeper.registry.promotion.tests_spent import SpentCount
from gatekeeper.registry.records import COPIED


def at(registry: Registry, weeks: int, run_key: str | None = None) -> SpentCount:
    return registry.pages.spent_tests(MONDAY + timedelta(weeks=weeks), run_key or f"week {weeks}", days=365)


def test_looks_are_counted_once_each(registry: Registry, add, promote, judged: Callable[..., Evaluation]) -> None:
    """Clearing a week, judging it again since the primary moved, a backfill's what-if, a copy: none is a new look."""
    promote(add(1))
    for week in range(4):
        judged(add(10 + week), weeks=week, verdict="keep")
    assert at(registry, 3) == SpentCount(spent=4, as_ofs=4, promoted=0)
    judged(registry.model(2), weeks=0, verdict="keep")  # cleared
    promote(registry.model(3))
    judged(registry.model(2), weeks=0, verdict="keep")  # judged again: another generation
    for kind in ("what-if", COPIED, "bootstrap"):
        judged(registry.model(2), weeks=2, verdict="promote", kind=kind, run_key=kind)
    assert len(registry.evaluations()) == 8
    assert at(registry, 3) == SpentCount(spent=4, as_ofs=4, promoted=0)
    judged(registry.model(2), weeks=3, verdict="keep", run_key="another seed")
    assert at(registry, 3) == SpentCount(spent=5, as_ofs=4, promoted=0)


def test_only_those_of_a_year_up_to_the_as_of_count(registry: Registry, add, judged, promote_judged) -> None:
    """The look that is being judged counts, whether it is on record or not; a later week never does."""
    for week in (0, 1, 52, 53):
        promote_judged(judged(add(week + 1), weeks=week))
    assert at(registry, 52) == SpentCount(spent=3, as_ofs=3, promoted=2)  # 52 weeks are 364 days
    assert at(registry, 53) == SpentCount(spent=3, as_ofs=3, promoted=2)  # 53 are 371: that of week 0 is out
    assert at(registry, 60) == SpentCount(spent=3, as_ofs=3, promoted=2)
    assert registry.pages.spent_tests(MONDAY, None, days=365) == SpentCount(spent=1, as_ofs=1, promoted=1)
    assert registry.pages.spent_tests(MONDAY - timedelta(days=1), None, days=365) == SpentCount(
        spent=0, as_ofs=0, promoted=0
    )


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_who_passed_is_told_without_a_document(registry: Registry, site, add, judged) -> None:
    """A server on its way down the order of trust opens no document: here none can be read."""
    passed, kept, copied = add(1), add(2), add(3)
    judged(passed)
    judged(kept, verdict="keep", run_key="kept")
    judged(copied, kind=COPIED, run_key="copied")
    site.sql("UPDATE gatekeeper_evaluation SET document = 'unreadable'")
    assert registry.passed() == {(passed.id, passed.sha256)}


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_evaluations_come_a_page_at_a_time(registry: Registry, add, judged) -> None:
    model = add(1)
    ids = [judged(model, weeks=week).id for week in range(5)]
    page = registry.evaluations(limit=2)
    assert [each.id for each in page] == ids[:2:-1]
    assert [each.id for each in registry.evaluations(limit=2, before=page[-1].id)] == ids[2:0:-1]
    assert registry.evaluations(model.id, limit=1)[0].id == ids[-1]
