"""Commands on models and the primary: list, register, promote, rollback, hold, release, history, approvals."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatekeeper.cli.hints import with_desk
from gatekeeper.cli.show import LocalPath, actor_options, as_json, echo, json_option, opened, table
from gatekeeper.errors import StorageFailed, Unavailable

if TYPE_CHECKING:
    from gatekeeper.registry import Model, Promotion, Registry

PAGE = 50
"""Lines of a list without `--limit`."""
NO_LIMIT = 2**62


def described(model: "Model") -> dict[str, object]:
    """A model as JSON values."""
    hidden = ("canary_json",)
    return {name: value for name, value in asdict(model).items() if name not in hidden} | {"active": model.is_primary}


def page_options(what: str, key: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options `--limit`, `--before` and `--all` of a list of `what`, whose lines begin with the number `key`."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option("--all", "everything", is_flag=True, help=f"List all {what}.")(command)
        command = click.option(
            "--before", type=int, metavar=key, help=f"List only {what} before this {key.lower()}: the next page."
        )(command)
        return click.option(
            "--limit",
            type=click.IntRange(min=1),
            help=f"List at most so many {what}; default {PAGE}, and with --json all.",
        )(command)

    return add


def _wanted(limit: int | None, *, everything: bool, as_json_: bool) -> int:
    """How many to list at most."""
    if everything and limit is not None:
        raise click.UsageError("Give --limit or --all, not both.")
    return limit if limit is not None else NO_LIMIT if everything or as_json_ else PAGE


@click.command("list")
@page_options("models", "ID")
@json_option
def list_models(limit: int | None, before: int | None, everything: bool, as_json_: bool) -> None:
    """List the models, newest first."""
    wanted = _wanted(limit, everything=everything, as_json_=as_json_)
    with opened() as registry:
        found = registry.models(limit=wanted + 1, before=before)
    models = found[:wanted]
    if as_json_:
        as_json([described(model) for model in models])
        return
    rows = [
        (
            model.id,
            model.version,
            "primary" if model.is_primary else "",
            model.created_at,
            model.trained_to and f"{model.trained_to:%Y-%m-%d}",
            model.sha256 and model.sha256[:12],
            model.description,
        )
        for model in models
    ]
    columns = ("id", "version", "", "created", "trained to", "sha256", "description")
    none = "No models yet. Add one with `gatekeeper register -p FILE`."
    table(columns, rows, empty=none if before is None else f"No models before {before}.")
    if len(found) > wanted:
        echo(with_desk(f"Older models: `gatekeeper list --before {models[-1].id}`, or all with `--all`."))


@click.command()
@click.option(
    "-p", "--path", required=True, type=LocalPath(path_type=Path), help="ONNX file to copy into the registry."
)
@click.option("-n", "--note", help="Description of the model.")
@click.option("--promote", "promoting", is_flag=True, help="Promote it too.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Score below which an idea is vetoed; default GATEKEEPER_THRESHOLD, else 0.55.",
)
@click.option("--trained-to", help="Date of the last outcome in its training data, if the file does not state it.")
@click.option("--run-key", help="Idempotency key: the same key and file register once.")
@actor_options("registered and promoted by hand")
@json_option
def register(
    path: Path,
    note: str | None,
    promoting: bool,
    threshold: float | None,
    trained_to: str | None,
    run_key: str | None,
    actor: str,
    reason: str,
    as_json_: bool,
) -> None:
    """Verify an ONNX model and register a copy of it."""
    from gatekeeper.registry.promotion.effects import committed

    with opened() as registry:
        model = registry.register(
            path,
            note=note,
            run_key=run_key,
            threshold=threshold,
            trained_to=parse_day(trained_to) if trained_to else None,
        )
        if promoting:
            _warn_of_hold(registry)
            effect, _ = _promoted(registry, model.id, actor, reason)
            with committed(effect):
                model = registry.model(model.id)
    if as_json_:
        as_json(described(model) | ({"effect": effect} if promoting else {}))
        return
    if promoting:
        echo(with_desk(effect))
    echo(f"Registered {model.version} (id {model.id}), sha256 {model.sha256}")
    echo(f"score read from: {model.recognised}")
    if not promoting:
        echo(with_desk(f"next: gatekeeper promote -i {model.id}"))


def parse_day(text: str) -> datetime:
    """An ISO 8601 date or time; UTC if it has no offset."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: a year that UTC has no more
        raise click.BadParameter(f"{text!r} is not an ISO 8601 date. Write one such as 2018-11-05.") from None


@click.command()
@click.option("-i", "--id", "model_id", required=True, type=int, help="Model id, as in `gatekeeper list`.")
@actor_options("promoted by hand")
@json_option
def promote(model_id: int, actor: str, reason: str, as_json_: bool) -> None:
    """Make a model the primary.

    The history records it with the kind `manual`.
    """
    with opened() as registry:
        _warn_of_hold(registry)
        effect, promotion = _promoted(registry, model_id, actor, reason)
        _show_promotion(registry, promotion, effect, as_json_)


@click.command()
@actor_options("rolled back by hand")
@json_option
def rollback(actor: str, reason: str, as_json_: bool) -> None:
    """Restore the previous primary.

    The current one is quarantined, so that no weekly run promotes it again.
    """
    with opened() as registry:
        promotion = registry.rollback(actor=actor, reason=reason)
        _show_promotion(registry, promotion, registry.effect(promotion), as_json_)
        _send_alarm(registry, promotion)
        if not as_json_:
            _tell_quarantine(registry, promotion.from_id)


def _tell_quarantine(registry: "Registry", left: int | None) -> None:
    """Say that the model a rollback left is quarantined. A registry that doesn't answer takes nothing back."""
    with suppress(Unavailable, StorageFailed):
        if left is not None and registry.quarantined(registry.model(left).sha256) is not None:
            way = f"`gatekeeper release --quarantine {left} --reason ...`"
            echo(with_desk(f"Model {left} is quarantined. Clear that with {way}."))


def _promoted(registry: "Registry", model_id: int, actor: str, reason: str) -> "tuple[str, Promotion]":
    """Promote by hand; the effect, and the promotion that made this model the primary, ours or another's."""
    before = registry.generation()
    promotion = registry.promote(model_id, actor=actor, reason=reason)
    if promotion.generation <= before:
        return registry.effect(None, f"model {model_id} is the primary already"), promotion
    _send_alarm(registry, promotion)
    return registry.effect(promotion), promotion


def _show_promotion(registry: "Registry", promotion: "Promotion", effect: str, as_json_: bool) -> None:
    from gatekeeper.registry.promotion.effects import committed

    if as_json_:
        changed = not effect.startswith("Nothing")
        with committed(effect) if changed else nullcontext():
            model = registry.primary()
        as_json({**asdict(promotion), "effect": effect, "changed": changed, "active": model and described(model)})
    else:
        echo(with_desk(effect))


def _send_alarm(registry: "Registry", promotion: "Promotion") -> None:
    """Send the alarm of a promotion, once for each generation."""
    from gatekeeper import config

    settings = config.load()
    if settings.alarms.each():
        from gatekeeper.pipeline import alarms  # brings the model runtime

        alarms.tell_promotion(settings, registry, promotion)


def _warn_of_hold(registry: "Registry") -> None:
    for hold in registry.holds():
        until = f" until {hold.until:%Y-%m-%d %H:%M} UTC" if hold.until else ""
        by = f"by {hold.actor} ({hold.reason})"
        echo(f"A hold {by} is in force{until}. It does not stop a promotion by hand.", err=True)


@click.command()
@json_option
def active(as_json_: bool) -> int:
    """Show the primary. Exits with 1 if there is none."""
    with opened() as registry:
        model = registry.primary()
    if as_json_:
        as_json(model and described(model))
    elif model is None:
        echo(with_desk("There is no primary. Promote a model with `gatekeeper promote -i ID`."), err=True)
    else:
        echo(f"{model.version}  id {model.id}  {model.path}  sha256 {model.sha256}")
    return 0 if model else 1


@click.command("migrate-naming")
@click.option("--dry-run", is_flag=True, help="Show the plan without changing anything.")
@click.option("--primary", type=int, help="Id of the model to keep as the primary, if several rows are named so.")
@actor_options("names brought to the convention")
@json_option
def migrate_naming(dry_run: bool, primary: int | None, actor: str, reason: str, as_json_: bool) -> None:
    """Rename rows and files to the convention.

    Their names become gatekeeper_primary{ID} for the primary and gatekeeper_{ID} for all others.
    """
    with opened() as registry:
        plan = registry.migrate_naming(dry_run=dry_run, primary=primary, actor=actor, reason=reason)
    if as_json_:
        as_json(asdict(plan))
        return
    rows = [(step.model_id, step.old_version, step.new_version, step.mark) for step in plan.steps]
    table(("id", "name", "becomes", "marked"), rows, empty="Nothing to do: every name follows the convention.")
    echo(f"primary: {'none' if plan.primary is None else f'model {plan.primary}'} ({plan.chosen_by})")
    if plan.dry_run and plan.changes:
        echo("Dry run: nothing was changed.")


@click.command()
@click.option("--until", help="End of the hold (ISO 8601, UTC if it has no offset); default until released.")
@click.option("--reason", required=True, help="Reason, kept with the hold.")
@click.option("--actor", show_default="you", help="Name of the person, kept with the hold.")
@json_option
def hold(until: str | None, reason: str, actor: str | None, as_json_: bool) -> None:
    """Hold promotions by weekly runs.

    They go on judging and recording, but promote nothing. A promotion by hand still works. Holds stack: each is
    released by itself, and weekly runs promote again when none is in force.
    """
    from gatekeeper.cli.show import user

    with opened() as registry:
        held = registry.hold(actor=actor or user(), reason=reason, until=parse_day(until) if until else None)
        effect = registry.hold_effect()
    if as_json_:
        as_json({**asdict(held), "effect": effect})
    else:
        echo(effect, with_desk(f"Release hold {held.id} with `gatekeeper release {held.id}`."))


@click.command()
@click.argument("hold_id", required=False, type=int)
@click.option("--all", "every", is_flag=True, help="Release all holds; needs --reason.")
@click.option("--quarantine", type=int, metavar="ID", help="Clear this model's quarantine instead.")
@actor_options("released by hand")
@json_option
@click.pass_context
def release(
    context: click.Context,
    hold_id: int | None,
    every: bool,
    quarantine: int | None,
    actor: str,
    reason: str,
    as_json_: bool,
) -> None:
    """Release hold HOLD_ID, or the only one that is in force.

    If several are, it refuses and lists them: name one, or release --all. With --quarantine ID, clear that model's
    quarantine instead.
    """
    if sum((hold_id is not None, every, quarantine is not None)) > 1:
        raise click.UsageError("Give one of HOLD_ID, --all and --quarantine.")
    if every and context.get_parameter_source("reason") is click.core.ParameterSource.DEFAULT:
        raise click.UsageError("--all needs a --reason, which is kept with each hold.")
    with opened() as registry:
        if quarantine is None:
            holds = registry.release(hold_id, every=every, actor=actor, reason=reason)
            what, ids, effect = "hold", [one.id for one in holds], registry.release_effect(holds, hold_id)
        else:
            cleared = registry.release_quarantine(quarantine, actor=actor, reason=reason)
            what, ids = f"quarantine of model {quarantine}", [quarantine] if cleared else []
            done = f"Cleared the {what}." if cleared else f"There was no {what}."
            effect = f"{done} {registry.hold_effect(quarantine)}"
    if as_json_:
        as_json({"what": what, "released": bool(ids), "ids": ids, "effect": effect})
    else:
        echo(with_desk(effect))


@click.command()
@page_options("promotions", "GENERATION")
@json_option
def history(limit: int | None, before: int | None, everything: bool, as_json_: bool) -> None:
    """List the promotions, newest first."""
    wanted = _wanted(limit, everything=everything, as_json_=as_json_)
    with opened() as registry:
        found = [one for one in registry.promotions() if before is None or one.generation < before]
    promotions = found[:wanted]
    if as_json_:
        as_json([asdict(promotion) for promotion in promotions])
        return
    rows = [
        (p.generation, p.at, p.kind, p.from_id, p.to_id, p.as_of, p.evaluation_id, p.actor, p.reason)
        for p in promotions
    ]
    columns = ("generation", "at", "kind", "from", "to", "as-of", "evaluation", "actor", "reason")
    table(columns, rows, empty="No promotions yet." if before is None else f"No promotions before {before}.")
    if len(found) > wanted:
        last = promotions[-1].generation
        echo(with_desk(f"Older promotions: `gatekeeper history --before {last}`, or all with `--all`."))


@click.command()
@json_option
def approvals(as_json_: bool) -> None:
    """Show the newest questions whether to promote, with their answers."""
    with opened() as registry:
        found = registry.approvals.newest()
    if as_json_:
        as_json([asdict(each) for each in found])
        return
    rows = [
        (a.id, a.asked_at, a.asked_by, a.question, a.model_id, a.evaluation_id, a.answer or "open", a.answered_by, a.at)
        for a in found
    ]
    columns = ("id", "asked", "asked by", "asked in", "model", "evaluation", "answer", "answered by", "answered")
    table(columns, rows, empty="Nobody was asked yet.")


COMMANDS: dict[str, click.Command] = {
    "approvals": approvals,
    "list": list_models,
    "register": register,
    "promote": promote,
    "active": active,
    "migrate-naming": migrate_naming,
    "rollback": rollback,
    "hold": hold,
    "release": release,
    "history": history,
}
