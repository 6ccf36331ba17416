"""The registry by hand: what is there, and what shall be the primary?"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.show import actor_options, as_json, json_option, opened, table

if TYPE_CHECKING:
    from gatekeeper.registry import Model, Promotion, Registry


def described(model: "Model") -> dict[str, object]:
    """A model as a program reads it."""
    hidden = ("canary_json",)
    return {name: value for name, value in asdict(model).items() if name not in hidden} | {"active": model.is_primary}


@click.command("list")
@json_option
def list_models(as_json_: bool) -> None:
    """All models, newest first."""
    with opened() as registry:
        models = registry.models()
    if as_json_:
        as_json([described(model) for model in models])
        return
    rows = [
        (
            model.id,
            model.version,
            "active" if model.is_primary else "",
            model.created_at,
            model.trained_to and f"{model.trained_to:%Y-%m-%d}",
            model.sha256 and model.sha256[:12],
            model.description,
        )
        for model in models
    ]
    columns = ("id", "version", "", "created", "trained to", "sha256", "description")
    table(columns, rows, empty="no models yet; `gatekeeper register -p FILE` adds one")


@click.command()
@click.option("-p", "--path", required=True, type=click.Path(path_type=Path), help="The ONNX file; it is copied in.")
@click.option("-n", "--note", help="A description.")
@click.option("--promote", "promoting", is_flag=True, help="Promote it too, in the same command.")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Default: 0.55.")
@click.option("--trained-to", help="Date of the last outcome in its training data, where the file can't say.")
@click.option("--run-key", help="With a key, the same file registers once.")
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
    """Verifies a model and takes a copy of it in."""
    with opened() as registry:
        model = registry.register(
            path,
            note=note,
            run_key=run_key,
            threshold=threshold,
            trained_to=parse_day(trained_to) if trained_to else None,
        )
        if promoting:
            _say_hold(registry)
            _tell(registry, registry.promote(model.id, actor=actor, reason=reason, now=datetime.now(UTC)))
            model = registry.model(model.id)
    if as_json_:
        as_json(described(model))
        return
    click.echo(f"registered {model.version} (id {model.id}), sha256 {model.sha256}")
    click.echo(f"recognised: {model.recognised}")
    if promoting:
        click.echo(f"active: {model.version}, {model.path}")
    else:
        click.echo(f"next: gatekeeper promote -i {model.id}")


def parse_day(text: str) -> datetime:
    """An ISO 8601 date or instant; without offset UTC."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no ISO 8601 date; write it like 2018-11-05") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


@click.command()
@click.option("-i", "--id", "model_id", required=True, type=int, help="The model's id, as `gatekeeper list` shows it.")
@actor_options("promoted by hand")
@json_option
def promote(model_id: int, actor: str, reason: str, as_json_: bool) -> None:
    """Makes a model the active one; marked `manual` in the history."""
    with opened() as registry:
        _say_hold(registry)
        before = registry.generation()
        promotion = registry.promote(model_id, actor=actor, reason=reason, now=datetime.now(UTC))
        _say_promotion(registry, promotion, registry.generation() != before, as_json_)
        _tell(registry, promotion)


@click.command()
@actor_options("rolled back by hand")
@json_option
def rollback(actor: str, reason: str, as_json_: bool) -> None:
    """Goes back to the primary before, and quarantines the one that it leaves."""
    with opened() as registry:
        promotion = registry.rollback(actor=actor, reason=reason, now=datetime.now(UTC))
        _say_promotion(registry, promotion, True, as_json_)
        _tell(registry, promotion)
        if not as_json_:
            left = promotion.from_id
            click.echo(f"model {left} is quarantined; `gatekeeper release --quarantine {left} --reason ...` lifts that")


def _say_promotion(registry: "Registry", promotion: "Promotion", changed: bool, as_json_: bool) -> None:
    model = registry.primary()
    if as_json_:
        as_json({**asdict(promotion), "changed": changed, "active": model and described(model)})
    elif model is not None:
        click.echo(f"{'active' if changed else 'active already'}: {model.version}, {model.path}")


def _tell(registry: "Registry", promotion: "Promotion") -> None:
    """Whoever asked for alarms hears of it, once for each generation."""
    from gatekeeper import config

    settings = config.load()
    if settings.alarms.get_secret_value():
        from gatekeeper.pipeline import alarms  # brings the model runtime

        alarms.tell_promotion(settings, registry, promotion)


def _say_hold(registry: "Registry") -> None:
    hold = registry.current_hold()
    if hold is not None:
        until = f" until {hold.until:%Y-%m-%d %H:%M} UTC" if hold.until else ""
        click.echo(f"a hold stands{until} ({hold.actor}: {hold.reason}); a promotion by hand goes through it", err=True)


@click.command()
@json_option
def active(as_json_: bool) -> int:
    """The active model; exit code 1 where there is none."""
    with opened() as registry:
        model = registry.primary()
    if as_json_:
        as_json(model and described(model))
    elif model is None:
        click.echo("no model is active; `gatekeeper promote -i ID` makes one so", err=True)
    else:
        click.echo(f"{model.version}  id {model.id}  {model.path}  sha256 {model.sha256}")
    return 0 if model else 1


@click.command("migrate-naming")
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")
@click.option("--primary", type=int, help="The id that is to be the active one.")
@actor_options("names brought to the convention")
@json_option
def migrate_naming(dry_run: bool, primary: int | None, actor: str, reason: str, as_json_: bool) -> None:
    """Brings every name, in the database and on disk, to gatekeeper_primary{ID} and gatekeeper_{ID}."""
    with opened() as registry:
        plan = registry.migrate_naming(dry_run=dry_run, primary=primary, actor=actor, reason=reason)
    if as_json_:
        as_json(asdict(plan))
        return
    rows = [(step.model_id, step.old_version, step.new_version, step.mark) for step in plan.steps]
    table(("id", "name", "becomes", "marked"), rows, empty="nothing to do: every name is as it should be")
    click.echo(f"active: {'none' if plan.primary is None else f'model {plan.primary}'} ({plan.chosen_by})")
    if plan.dry_run and plan.changes:
        click.echo("this is the plan; nothing was changed")


@click.command()
@click.option("--until", help="End of the hold (ISO 8601, UTC where it has no offset); without it, until released.")
@click.option("--reason", required=True, help="Why; shown to whoever asks.")
@click.option("--actor", help="Who.")
@json_option
def hold(until: str | None, reason: str, actor: str | None, as_json_: bool) -> None:
    """Weekly runs go on judging and recording, and promote nothing."""
    from gatekeeper.cli.show import user

    with opened() as registry:
        standing = registry.hold(actor=actor or user(), reason=reason, until=parse_day(until) if until else None)
    if as_json_:
        as_json(asdict(standing))
    else:
        click.echo("held; `gatekeeper release` lifts it")


@click.command()
@click.option("--quarantine", type=int, metavar="ID", help="Lift the quarantine of this model instead.")
@actor_options("released by hand")
@json_option
def release(quarantine: int | None, actor: str, reason: str, as_json_: bool) -> None:
    """Lifts the hold, or with --quarantine that of one model's bytes."""
    with opened() as registry:
        stood = registry.release(actor=actor, reason=reason, quarantine=quarantine)
    what = "hold" if quarantine is None else f"quarantine of model {quarantine}"
    if as_json_:
        as_json({"what": what, "released": stood})
    else:
        click.echo(f"released the {what}" if stood else f"there was no {what} to release")


@click.command()
@json_option
def history(as_json_: bool) -> None:
    """All promotions, newest first."""
    with opened() as registry:
        promotions = registry.promotions()
    if as_json_:
        as_json([asdict(promotion) for promotion in promotions])
        return
    rows = [
        (p.generation, p.at, p.kind, p.from_id, p.to_id, p.as_of, p.evaluation_id, p.actor, p.reason)
        for p in promotions
    ]
    columns = ("generation", "at", "kind", "from", "to", "as-of", "evaluation", "actor", "reason")
    table(columns, rows, empty="nothing was ever promoted")


COMMANDS: dict[str, click.Command] = {
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
