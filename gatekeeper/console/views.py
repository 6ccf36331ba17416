"""Console pages: models, verdicts, history, holds, and the doctor's findings."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse, RedirectResponse

from gatekeeper.console import evaluation_view, rendering
from gatekeeper.console.dependencies import DeskOfPath, DeskSettings, OpenRegistry, house_of
from gatekeeper.desks import Desk
from gatekeeper.errors import ConfigError
from gatekeeper.registry import Evaluation, Registry
from gatekeeper.registry.models.catalogue import LARGEST_ID
from gatekeeper.registry.promotion.checks import Check
from gatekeeper.registry.records import WHAT_IF
from gatekeeper.registry.views import card_text
from gatekeeper.registry.views.pages import Page

router = APIRouter(prefix="/{desk}", default_response_class=HTMLResponse)

Key = Annotated[int, InPath(ge=0, le=LARGEST_ID)]
Before = Annotated[int | None, Query(ge=0, le=LARGEST_ID)]

AT_ONCE = 1000
"""Up to this many models the doctor runs unasked; it reads every file, which takes a while with more."""

CHECKS = 10
"""Checks of the monitor on one page."""

MOST = 200
"""Findings on one page; a registry whose folder is missing has two for each model."""

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'self'"


@router.get("")
@router.get("/", include_in_schema=False)
def first(request: Request, desk: DeskOfPath) -> RedirectResponse:
    """Redirect to the desk's models."""
    return RedirectResponse(f"{rendering.root_of(request)}/{desk.name}/models")


@router.get("/models")
def models(request: Request, desk: DeskOfPath, registry: OpenRegistry, before: Before = None) -> Response:
    """The models, newest first, below the primary."""
    found = registry.pages.models(before=before)
    behind = registry.pages.behind() if house_of(request).entrance.may_act(request, desk) else None
    return _page(request, desk, registry, "models", page=found, first=before is None, behind=behind)


@router.get("/models/{model}")
def model(
    request: Request,
    desk: DeskOfPath,
    settings: DeskSettings,
    registry: OpenRegistry,
    model: Key,
    before: Before = None,
) -> Response:
    """One model: its origin, verdicts and promotions."""
    one = registry.model(model)
    return _page(
        request,
        desk,
        registry,
        "model",
        model=one,
        quarantine=registry.quarantined(one.sha256),
        family=registry.pages.family(one.id),
        approval=settings.approval,
        verdicts=registry.pages.verdicts(challenger=one.id, before=before),
        promotions=registry.pages.promotions(model=one.id),
    )


@router.get("/models/{model}/card.md")
def card(registry: OpenRegistry, model: Key) -> Response:
    """The model card, as a download."""
    content = card_text.markdown(registry.pages.card(model, now=datetime.now(UTC)))
    name = f'attachment; filename="model_{model}_card.md"'
    return Response(content, media_type="text/markdown; charset=utf-8", headers={"Content-Disposition": name})


@router.get("/evaluations")
def evaluations(request: Request, desk: DeskOfPath, registry: OpenRegistry, before: Before = None) -> Response:
    """The verdicts, newest first."""
    return _page(request, desk, registry, "evaluations", page=registry.pages.verdicts(before=before))


@router.get("/evaluations/{evaluation}")
def evaluation(request: Request, desk: DeskOfPath, registry: OpenRegistry, evaluation: Key) -> Response:
    """One verdict with all its numbers."""
    one = registry.evaluation(evaluation)
    return _page(
        request,
        desk,
        registry,
        "evaluation",
        evaluation=one,
        evidence=evaluation_view.of(one),
        not_eligible=_not_eligible(one, registry),
        effect=registry.pages.effect_of(one),
        approvals=registry.approvals.newest(evaluation_id=one.id),
    )


def _not_eligible(evaluation: Evaluation, registry: Registry) -> str | None:
    """The reason that an evaluation of a past week can't promote; None for the others."""
    if evaluation.kind != WHAT_IF:
        return None
    why = registry.not_eligible(evaluation.as_of, evaluation.generation)
    return f"not eligible: {why or 'a later week was promoted already'}"


@router.get("/evaluations/{evaluation}/report")
def report(request: Request, desk: DeskOfPath, registry: OpenRegistry, evaluation: Key) -> Response:
    """The report in a frame, with a link back."""
    return _page(request, desk, registry, "report", evaluation=registry.evaluation(evaluation))


@router.get("/evaluations/{evaluation}/report.html")
def report_file(settings: DeskSettings, registry: OpenRegistry, evaluation: Key) -> Response:
    """The report as the run wrote it; drawn again if its file is not on this machine."""
    one = registry.evaluation(evaluation)
    content = _written(Path(settings.reports), one) or _drawn(one, registry)
    return HTMLResponse(content, headers={"Content-Security-Policy": REPORT_POLICY})


@router.get("/monitor")
def monitor(request: Request, desk: DeskOfPath, registry: OpenRegistry, before: Before = None) -> Response:
    """The checks of the monitor, newest first, with the standby models in its shadow."""
    found = registry.checks.newest(limit=CHECKS + 1, before=before)
    page: Page[Check] = Page(found[:CHECKS], found[CHECKS - 1].id if len(found) > CHECKS else None)
    return _page(request, desk, registry, "monitor", page=page)


@router.get("/history")
def history(request: Request, desk: DeskOfPath, registry: OpenRegistry, before: Before = None) -> Response:
    """Every change of the primary, newest first."""
    return _page(request, desk, registry, "history", page=registry.pages.promotions(before=before))


@router.get("/holds")
def holds(request: Request, desk: DeskOfPath, registry: OpenRegistry) -> Response:
    """Holds and quarantines."""
    pages = registry.pages
    return _page(request, desk, registry, "holds", holds=pages.holds(), quarantines=pages.quarantines())


@router.get("/doctor")
def doctor(request: Request, desk: DeskOfPath, registry: OpenRegistry, look: bool = False) -> Response:
    """Consistency of database and files; reports, and repairs nothing."""
    looks = look or registry.pages.state().models <= AT_ONCE
    return _page(request, desk, registry, "doctor", checkup=registry.doctor() if looks else None, most=MOST)


def _page(request: Request, desk: Desk, registry: Registry, name: str, **context: Any) -> HTMLResponse:
    desks = house_of(request).desks()
    return rendering.page(request, name, desk=desk, desks=desks, here=name, state=registry.pages.state(), **context)


def _written(folder: Path, evaluation: Evaluation) -> str | None:
    """The file of that name in the folder of reports; a row can't point anywhere else."""
    try:
        return (folder / Path(evaluation.report or ".").name).read_text("utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        return None


def _drawn(evaluation: Evaluation, registry: Registry) -> str:
    """The report drawn anew, as `gatekeeper report` does.

    Raises DataError for one that can't be read, ConfigError where what draws isn't installed.
    """
    from gatekeeper.judgement.report import report as reports

    try:
        return reports.render(evaluation.document, registry.pages.effect_of(evaluation), registry.checks.last_seen())
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"the report {evaluation.report} is not on this machine, and drawing it again needs {missing.name}: "
            "pip install 'gatekeeper[train]'"
        ) from None
