"""Commands `doctor`, `gc` and `copy`: consistency check, garbage collection, copying to another registry."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper import TELEMETRY_MAY_RUN
from gatekeeper.cli.hints import with_desk
from gatekeeper.cli.show import as_json, echo, json_option, opened, table
from gatekeeper.errors import ConfigError

if TYPE_CHECKING:
    from typing import TextIO

    from gatekeeper.registry import CleanUp, Defect
    from gatekeeper.registry.decision_log.conflicts import LoggedAnswer


@click.command()
@click.option("--repair", is_flag=True, help="Repair what needs no choice, and report it.")
@click.option(
    "--decisions",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Compare the ideas that a client saw answered with the database instead: one id or answer a line.",
)
@click.option("--redeliver", is_flag=True, help="With --decisions: first deliver again what the spool folder keeps.")
@json_option
def doctor(repair: bool, decisions: "TextIO | None", redeliver: bool, as_json_: bool) -> int:
    """Check the connection to the database, and database and files against each other.

    Exits with 0 only if all is well (with --repair or --redeliver: afterwards).
    """
    from gatekeeper import config, registry

    _refuse_mixed(repair, decisions, redeliver)
    settings = config.load()
    if decisions is not None:
        return _compare(decisions, settings.db.reveal(), Path(settings.spool), redeliver=redeliver, as_json_=as_json_)
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
        connection = [asdict(fact) for fact in found.connection]
        as_json(
            {
                "well": found.well,
                **({"telemetry": TELEMETRY_MAY_RUN} if TELEMETRY_MAY_RUN else {}),
                "connection": connection,
                **{name: [_described(one) for one in each] for name, each in lists.items()},
            }
        )
        return 0 if found.well else 1
    for fact in found.connection:
        for line in fact.value.splitlines():
            echo(f"{fact.name}: {line}")
    for one in found.repaired:
        echo(f"repaired  {_line(one)}: {one.remedy}")
    for one in found.findings:
        way = f" With --repair, {one.remedy}." if one.repairable else ""
        echo(with_desk(f"wrong     {_line(one)}: {one.text}{way}"))
    for one in found.marked:
        end = "" if one.kind == "undated" else " It is never served."
        echo(with_desk(f"marked    {_line(one)}: {one.text}{end}"))
    if TELEMETRY_MAY_RUN:
        echo(f"warning   {TELEMETRY_MAY_RUN}")
    if found.well:
        echo("All is well.")
    return 0 if found.well else 1


def _refuse_mixed(repair: bool, decisions: object, redeliver: bool) -> None:
    if redeliver and decisions is None:
        raise click.UsageError("--redeliver needs --decisions FILE, which shows what came back.")
    if repair and decisions is not None:
        raise click.UsageError("--repair checks files, --decisions answers. Run them one after the other.")


def _compare(decisions: "TextIO", url: str, spool: Path, *, redeliver: bool, as_json_: bool) -> int:
    from gatekeeper.serving.decision_log import acknowledged

    try:
        told = acknowledged.read(decisions, decisions.name)
    except UnicodeDecodeError as fault:
        raise ConfigError(f"{decisions.name} is not UTF-8 text ({fault.reason}).") from None
    found = acknowledged.check(url, spool, told, redeliver=redeliver)
    if as_json_:
        as_json(acknowledged.described(found))
        return 0 if found.well else 1
    if redeliver:
        echo(f"Brought back {found.ideas} ideas and {found.outcomes} outcomes.")
    for idea_id in found.waiting:
        echo(f"waiting   {idea_id}: on the spool, not in the database yet.")
    for idea_id in found.missing:
        echo(f"missing   {idea_id}: neither in the database nor on the spool.")
    for one in found.different:
        version = f" by {one.told.version}" if one.told.version else ""
        echo(f"different {one.told.idea_id}: told {one.told.decision or 'an answer'}{version}, {_logged(one.logged)}")
    for each in found.conflicts:
        echo(f"conflict  {each.idea_id}: {_answer(each.other)} was told too, {_logged(each.logged)}")
    if found.other_conflicts:
        echo(f"{found.other_conflicts} more conflicts are of ids that the file does not name.")
    counts = {"missing": found.missing, "different": found.different, "in conflict": found.conflicts}
    told_counts = ", ".join(f"{len(each)} {name}" for name, each in counts.items() if each)
    echo(f"Compared {found.checked} ids: {told_counts or 'all are logged as they were told'}.")
    if found.missing and not redeliver:
        echo("With --redeliver, what the spool folder keeps of the last 24 hours is delivered again.")
    return 0 if found.well else 1


def _answer(one: "LoggedAnswer") -> str:
    return ("approve" if one.approved else "veto") + (f" by {one.version}" if one.version else "")


def _logged(one: "LoggedAnswer | None") -> str:
    return "nothing is logged." if one is None else f"logged is {_answer(one)}."


def _described(finding: "Defect") -> dict[str, object]:
    return {**asdict(finding), "repairable": finding.repairable}


def _line(finding: "Defect") -> str:
    where = [finding.kind, "" if finding.model_id is None else f"model {finding.model_id}", finding.name or ""]
    return ", ".join(filter(None, where))


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the plan without changing anything.")
@json_option
def gc(dry_run: bool, as_json_: bool) -> None:
    """Remove files that no model needs.

    These are retired names, orphaned blobs and half-written files. Each is removed once it has been unneeded for
    GATEKEEPER_GRACE_SECONDS.
    """
    with opened() as registry:
        plan = registry.gc(dry_run=dry_run)
    if as_json_:
        as_json(asdict(plan))
        return
    _show(plan)


def _show(plan: "CleanUp") -> None:
    done = "would be removed" if plan.dry_run else "removed"
    rows = [(done, each.name, each.why, each.since) for each in plan.removed]
    rows += [("waits", each.name, each.why, each.since) for each in plan.waiting]
    table(("", "file", "reason", "since"), rows, empty="Nothing to remove.")
    if plan.waiting:
        echo(f"Waiting files can be removed {plan.grace_seconds} s after their time (GATEKEEPER_GRACE_SECONDS).")
    if plan.dry_run and plan.removed:
        echo("Dry run: nothing was changed.")


@click.command()
@click.option("-i", "--id", "model_id", required=True, type=int, help="Id of the model in this registry.")
@click.option("--to", "url", required=True, metavar="DB", help="Database of the other registry, as its GATEKEEPER_DB.")
@click.option(
    "--models",
    metavar="URI",
    help="Model store of the other registry, as its GATEKEEPER_MODELS; default the folder models beside its file.",
)
@json_option
def copy(model_id: int, url: str, models: str | None, as_json_: bool) -> None:
    """Copy a model to another registry.

    Its evaluations are copied too. There the model is verified again and becomes a challenger.

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
    was = "Copied" if copied.is_new else "Copied before:"
    echo(f"{was} model {model_id} to {copied.model.version} (id {copied.model.id}) in {target.db}.")
    echo(f"sha256 {copied.model.sha256}, verified there; evaluations copied: {len(copied.evaluations)}")
    echo(f"next, there: gatekeeper explain {copied.model.id}, gatekeeper promote -i {copied.model.id}")


def _beside(url: str) -> str:
    """The models folder beside a SQLite file. Raises ConfigError for another database."""
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path:
        raise ConfigError("Name the other registry's model store with --models. Only a SQLite registry has a default.")
    return str(Path(path).parent / "models")


COMMANDS: dict[str, click.Command] = {"doctor": doctor, "gc": gc, "copy": copy}
