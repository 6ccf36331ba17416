"""Is the registry in order, what of it is rubbish, and how does a model get to another one?"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.show import as_json, json_option, opened, table
from gatekeeper.errors import ConfigError, mask

if TYPE_CHECKING:
    from gatekeeper.registry import CleanUp, Finding


@click.command()
@click.option("--repair", is_flag=True, help="Mend what needs no guess, and say what was done.")
@json_option
def doctor(repair: bool, as_json_: bool) -> int:
    """Compares database and files, both ways. Exit code 0 only where all is well (with --repair: afterwards)."""
    from gatekeeper import config, registry

    settings = config.load()
    found = registry.check_up(
        settings.db,
        models=settings.models,
        path_prefix=settings.path_prefix,
        size_cap=settings.model_size_cap,
        grace_seconds=settings.grace_seconds,
        threshold=settings.threshold,
        repair=repair,
    )
    if as_json_:
        lists = {"findings": found.findings, "repaired": found.repaired, "marked": found.marked}
        as_json({"well": found.well, **{name: [_described(one) for one in each] for name, each in lists.items()}})
        return 0 if found.well else 1
    for one in found.repaired:
        click.echo(f"mended  {_line(one)}: {one.remedy}")
    for one in found.findings:
        way = f"; --repair: {one.remedy}" if one.repairable else ""
        click.echo(f"off     {_line(one)}: {one.text}{way}")
    for one in found.marked:
        click.echo(f"marked  {_line(one)}: {one.text}; never served")
    if found.well:
        click.echo("all is well")
    return 0 if found.well else 1


def _described(finding: "Finding") -> dict[str, object]:
    return {**asdict(finding), "repairable": finding.repairable}


def _line(finding: "Finding") -> str:
    where = [finding.kind, "" if finding.model_id is None else f"model {finding.model_id}", finding.name or ""]
    return ", ".join(filter(None, where))


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")
@json_option
def gc(dry_run: bool, as_json_: bool) -> None:
    """Removes what no model holds: retired names, orphaned blobs, half-written files; each past the grace."""
    with opened() as registry:
        plan = registry.gc(dry_run=dry_run)
    if as_json_:
        as_json(asdict(plan))
        return
    _show(plan)


def _show(plan: "CleanUp") -> None:
    done = "would go" if plan.dry_run else "removed"
    rows = [(done, each.name, each.why, each.since) for each in plan.removed]
    rows += [("waits", each.name, each.why, each.since) for each in plan.waiting]
    table(("", "file", "why", "since"), rows, empty="nothing to remove")
    if plan.waiting:
        click.echo(f"what waits goes {plan.grace_seconds} s after its time (GATEKEEPER_GRACE_SECONDS)")
    if plan.dry_run and plan.removed:
        click.echo("this is the plan; nothing was changed")


@click.command()
@click.option("-i", "--id", "model_id", required=True, type=int, help="The model's id here.")
@click.option("--to", "url", required=True, metavar="DB", help="The other registry's database, as GATEKEEPER_DB there.")
@click.option(
    "--models", metavar="URI", help="Its folder or store, as GATEKEEPER_MODELS there; default: models beside its file."
)
@json_option
def copy(model_id: int, url: str, models: str | None, as_json_: bool) -> None:
    """Takes a model over to another registry with its evidence; there it is verified, and a challenger.

    Example: gatekeeper copy -i 3 --to sqlite:////srv/production/registry.db --models /srv/production/models
    """
    from gatekeeper import config
    from gatekeeper.cli.registry_commands import described
    from gatekeeper.registry import Registry

    settings = config.load()
    target = config.override(settings, {"db": url, "models": models or _beside(url)})
    with Registry.configured(settings) as registry, Registry.configured(target) as other:
        copied = registry.copy_to(other, model_id)
    if as_json_:
        as_json({"model": described(copied.model), "is_new": copied.is_new, "evaluations": copied.evaluations})
        return
    was = "is now" if copied.is_new else "was already"
    click.echo(f"model {model_id} {was} {copied.model.version} (id {copied.model.id}) in {mask(url)}")
    click.echo(f"sha256 {copied.model.sha256}, verified there; evaluations carried: {len(copied.evaluations)}")
    click.echo(f"next, there: gatekeeper explain {copied.model.id}, gatekeeper promote -i {copied.model.id}")


def _beside(url: str) -> str:
    """The models folder of a registry that is laid out like the defaults."""
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path:
        raise ConfigError("--models has to say where the other registry keeps its files; only SQLite has a default")
    return str(Path(path).parent / "models")


COMMANDS: dict[str, click.Command] = {"doctor": doctor, "gc": gc, "copy": copy}
