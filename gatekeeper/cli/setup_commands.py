"""What holds here, and is the database ready?"""

from dataclasses import asdict

import click

from gatekeeper import config as settings_of
from gatekeeper.cli.show import as_json, json_option, table
from gatekeeper.errors import mask


@click.command()
@json_option
def config(as_json_: bool) -> None:
    """Every setting, its value and where that comes from; passwords are masked."""
    rows = settings_of.sources(settings_of.load())
    if as_json_:
        as_json([dict(zip(("name", "value", "source", "about"), row, strict=True)) for row in rows])
    else:
        table(("setting", "value", "from", "what"), rows, empty="")


@click.command()
@json_option
def desks(as_json_: bool) -> None:
    """The desks of desks.toml, the default first: `--desk NAME` in any command is about that one."""
    rows = []
    for desk, settings in settings_of.every_desk():
        shown = (mask(settings.db), settings.models, settings.data)
        rows.append((desk.name, desk.title, desk.is_default, desk.schedule, *shown, desk.dag_id("weekly")))
    names = ("desk", "title", "default", "schedule", "db", "models", "data", "dag")
    if as_json_:
        as_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        table(names, rows, empty="")


@click.group()
def db() -> None:
    """The registry's tables."""


@db.command()
@json_option
def upgrade(as_json_: bool) -> None:
    """Makes the tables, or brings them to this version; takes in the rows that another tool made."""
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
    click.echo(f"tables {done}, revision {report.revision}")
    if report.adopted:
        click.echo(f"taken in: models {', '.join(map(str, report.adopted))}")
    for mark in report.marked:
        click.echo(f"never served: model {mark.model_id}: {mark.message}")
    if not report.settled:
        rows = ", ".join(map(str, report.claims))
        click.echo(
            f"rows {rows} all claim to be active; nothing is promoted until `gatekeeper migrate-naming` settles it"
        )


COMMANDS: dict[str, click.Command] = {"config": config, "desks": desks, "db": db}
