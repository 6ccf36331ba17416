"""Commands `config`, `desks` and `db`: settings, desks and the registry's tables."""

from dataclasses import asdict

import click

from gatekeeper import config as settings_of
from gatekeeper.cli.hints import with_desk
from gatekeeper.cli.show import LocalPath, as_json, echo, json_option, table


@click.command()
@json_option
def config(as_json_: bool) -> None:
    """Show every setting with its value and source. Passwords are masked."""
    rows = settings_of.sources(settings_of.load())
    if as_json_:
        as_json([dict(zip(("name", "value", "source", "about"), row, strict=True)) for row in rows])
    else:
        table(("setting", "value", "from", "what"), rows, empty="")


@click.command()
@json_option
def desks(as_json_: bool) -> None:
    """List the desks of desks.toml, the default first. Choose one with --desk NAME in any command."""
    rows = []
    standing = settings_of.standing_desks()
    for desk, settings in standing.ready:
        shown = tuple(map(str, (settings.db, settings.models, settings.data)))
        rows.append((desk.name, desk.title, desk.is_default, settings.schedule, *shown, desk.dag_id("weekly")))
    names = ("desk", "title", "default", "schedule", "db", "models", "data", "dag")
    if as_json_:
        as_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        table(names, rows, empty="")
    standing.refuse_faults()


@click.command("explain-reason")
@click.argument("slug", required=False)
@json_option
def explain_reason(slug: str | None, as_json_: bool) -> None:
    """Explain the reason in brackets at the end of an error: what it means, and the way out.

    Without SLUG, all reasons.
    """
    from gatekeeper import reasons

    found = list(reasons.REASONS) if slug is None else [reasons.find(slug)]
    if as_json_:
        as_json([asdict(one) for one in found] if slug is None else asdict(found[0]))
        return
    for one in found:
        echo(f"{', '.join(one.slugs)}: {one.meaning}.", f"What to do: {one.way_out}.")


@click.group()
def db() -> None:
    """Manage the registry's database: tables, backup and restore."""


@db.command()
@json_option
def upgrade(as_json_: bool) -> None:
    """Make the tables or bring them up to date.

    Models in tables made by another tool are adopted.
    """
    from gatekeeper import registry

    settings = settings_of.load()
    report = registry.upgrade(
        settings.db,
        models=settings.models,
        path_prefix=settings.path_prefix,
        size_cap=settings.model_size_cap,
        threshold=settings.threshold,
    )
    if as_json_:
        as_json(asdict(report))
        return
    was = report.revision_before
    done = "made" if was is None else "up to date" if was == report.revision else f"upgraded from {was}"
    echo(f"Tables {done}, revision {report.revision}.")
    if report.adopted:
        echo(f"Adopted: models {', '.join(map(str, report.adopted))}.")
    for mark in report.marked:
        echo(with_desk(f"Not usable, and never served: model {mark.model_id}: {mark.message}"))
    for refused in report.refused:
        echo(with_desk(f"Not adopted: {refused}"))
    for mark in report.undated:
        echo(f"Time unknown: model {mark.model_id}: {mark.message}")
    if report.similar:
        echo(
            f'Not read: this database also has {", ".join(report.similar)}. Gatekeeper reads "RLModel" alone, in '
            "exactly this spelling: if your models are in the other one, rename it."
        )
    if not report.settled:
        rows = ", ".join(map(str, report.claims))
        echo(
            with_desk(
                f"The rows {rows} are all named as the primary. Promotions are refused until you run "
                "`gatekeeper migrate-naming`."
            )
        )


@db.command()
@click.argument("file", type=LocalPath(dir_okay=False))
@json_option
def backup(file: str, as_json_: bool) -> None:
    """Copy a SQLite registry to the new file FILE while servers use it.

    Back up the model store too. For PostgreSQL, use pg_dump.
    """
    from gatekeeper import registry

    made = registry.back_up(settings_of.load().db.reveal(), file)
    if as_json_:
        as_json(asdict(made))
        return
    echo(f"Backed up to {made.file}: revision {made.revision}, generation {made.generation}, {made.size:,} bytes.")


@db.command()
@click.argument("file", type=LocalPath(dir_okay=False))
@json_option
def restore(file: str, as_json_: bool) -> None:
    """Replace the content of a SQLite registry by the backup FILE while servers use it.

    Servers follow within seconds. Never copy a file over a registry that is in use.
    """
    from gatekeeper import registry

    made = registry.restore(settings_of.load().db.reveal(), file)
    if as_json_:
        as_json(asdict(made))
        return
    was = "" if made.generation_before is None else f", was {made.generation_before}"
    echo(f"Restored {file}: generation {made.generation}{was}; primary {made.primary or 'none'}.")
    echo(with_desk("next: gatekeeper doctor, which compares the restored rows with the model files"))


COMMANDS: dict[str, click.Command] = {"explain-reason": explain_reason, "config": config, "desks": desks, "db": db}
