"""Pages of a large registry: every line once, and no document beyond the page is opened."""

from collections.abc import Callable

import pytest
from registry_site import Site

from gatekeeper.registry import Evaluation, Model, Registry
from gatekeeper.registry.views.pages import Page


def walk(read: Callable[..., Page[object]], **options: object) -> list[object]:
    """Every line, by the key that each page gives for the next."""
    page = read(**options)
    lines = list(page.lines)
    while page.before is not None:
        page = read(before=page.before, **options)
        lines += page.lines
    return lines


@pytest.fixture
def seven(add: Callable[[int], Model]) -> list[Model]:
    return [add(number) for number in range(1, 8)]


@pytest.mark.parametrize("limit", [1, 3, 6, 7, 8])
def test_pages_hold_every_line_once_newest_first(
    registry: Registry,
    seven: list[Model],
    promote: Callable[[Model], object],
    judged: Callable[..., Evaluation],
    limit: int,
) -> None:
    verdicts = [judged(model, weeks=week) for week, model in enumerate(seven)]
    for model in seven:
        promote(model)
    pages = registry.pages
    assert [line.model for line in walk(pages.models, limit=limit)] == registry.models()
    assert [line.id for line in walk(pages.verdicts, limit=limit)] == [verdict.id for verdict in reversed(verdicts)]
    assert walk(pages.promotions, limit=limit) == registry.promotions()


def test_a_line_has_the_newest_verdict_and_the_quarantine(
    registry: Registry, seven: list[Model], promote: Callable[[Model], object], judged: Callable[..., Evaluation]
) -> None:
    judged(seven[0], weeks=0, verdict="undecided")
    newest = judged(seven[0], weeks=1, document={"scorecards": {"challenger": {"sharpe": 1.5}}, "verdict": {"gain": 2}})
    judged(seven[1], weeks=2, document=[])
    promote(seven[1])
    promote(seven[0])
    registry.rollback(actor="ann", reason="worse")
    lines = {line.model.id: line for line in registry.pages.models().lines}
    first = lines[seven[0].id]
    assert first.newest is not None
    assert (first.newest.id, first.newest.sharpe, first.newest.gain) == (newest.id, 1.5, 2.0)
    assert first.quarantine == registry.quarantined(seven[0].sha256)
    second = lines[seven[1].id]
    assert second.newest is not None
    assert (second.newest.sharpe, second.newest.message, second.quarantine) == (None, None, None)
    assert lines[seven[2].id].newest is None
    assert registry.pages.quarantines() == [first.quarantine]


def test_the_state_is_that_of_the_registry(
    registry: Registry, seven: list[Model], promote: Callable[[Model], object]
) -> None:
    empty = registry.pages.state()
    assert (empty.models, empty.generation, empty.primary, empty.promotion, empty.holds) == (7, 0, None, None, ())
    assert registry.pages.behind() is None
    promote(seven[3])
    promote(seven[5])
    registry.hold(actor="bob", reason="holidays")
    state = registry.pages.state()
    assert (state.primary, state.promotion) == (registry.primary(), registry.promotions()[0])
    assert list(state.holds) == registry.holds()
    assert [hold.reason for hold in state.holds] == ["holidays"]
    behind = registry.pages.behind()
    assert behind is not None
    assert behind.id == seven[3].id
    assert registry.rollback(actor="ann", reason="as was said").to_id == behind.id


def test_past_holds_say_how_they_ended(registry: Registry) -> None:
    registry.hold(actor="ann", reason="first")
    registry.hold(actor="bob", reason="second")
    registry.release(2, actor="cem", reason="done")
    said = [(each.hold.reason, each.released_by, each.release_reason) for each in registry.pages.holds()]
    assert said == [("second", "cem", "done"), ("first", None, None)]


def test_no_document_beyond_the_page_is_opened(
    registry: Registry, site: Site, seven: list[Model], judged: Callable[..., Evaluation]
) -> None:
    """So a page costs the same with ten thousand models: what can't be read isn't."""
    for week, model in enumerate(seven):
        judged(model, weeks=week)
    site.sql("UPDATE gatekeeper_evaluation SET document = 'not JSON' WHERE challenger < ?", seven[4].id)
    assert [line.model.id for line in registry.pages.models(limit=3).lines] == [one.id for one in seven[:3:-1]]
    assert [line.challenger for line in registry.pages.verdicts(limit=2).lines] == [seven[6].id, seven[5].id]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_the_database_finds_a_page_by_its_indexes(registry: Registry, site: Site, seven: list[Model]) -> None:
    """No page walks through the whole of a table that grows with every week."""
    from sqlalchemy import event

    statements: list[tuple[str, object]] = []
    engine = registry._context.database.engine
    event.listen(engine, "before_cursor_execute", lambda *said: statements.append((said[2], said[3])))
    pages = registry.pages
    for read in (
        lambda: pages.models(before=5),
        lambda: pages.verdicts(before=5),
        lambda: pages.verdicts(challenger=seven[0].id),
        lambda: pages.promotions(before=5),
        lambda: pages.promotions(model=seven[0].id),
    ):
        read()
    asked = [(words, values) for words, values in statements if words.lstrip().startswith("SELECT")]
    assert len(asked) >= 5
    plans = [row[-1] for words, values in asked for row in site.sql(f"EXPLAIN QUERY PLAN {words}", *values)]
    walked = [step for step in plans if step.startswith("SCAN") and "USING INDEX" not in step]
    assert walked == []
