"""Ageing of a rehearsal's models on the command line: its options, and a table for each training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from gatekeeper.cli.show import echo, table

if TYPE_CHECKING:
    from gatekeeper.documents.ageing import Ageing
    from gatekeeper.documents.rehearsal import RehearsalDocument
    from gatekeeper.rehearsal.plan import Plan

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Asked:
    """What to measure."""

    train_years: tuple[float, ...]
    half_lives: tuple[float, ...]


def ageing_options(command: Command) -> Command:
    """The options `--ageing`, `--train-years` and `--half-life`."""
    positive = click.FloatRange(min=0, min_open=True)
    for option in (
        click.option(
            "--half-life", "half_lives", multiple=True, type=positive, help="--ageing: half-life, days; repeatable."
        ),
        click.option(
            "--train-years", multiple=True, type=positive, help="--ageing: training window, years; repeatable."
        ),
        click.option("--ageing", is_flag=True, help="Also measure what the age of a model costs."),
    ):
        command = option(command)
    return command


def asked(*, ageing: bool, train_years: tuple[float, ...], half_lives: tuple[float, ...]) -> Asked | None:
    """What to measure, or None. Raises UsageError for an option that needs `--ageing`."""
    if not ageing and (train_years or half_lives):
        raise click.UsageError("--train-years and --half-life need --ageing; add it.")
    return Asked(train_years, half_lives) if ageing else None


def with_ageing(document: "RehearsalDocument", plan: "Plan", aged: Asked | None, *, jobs: int) -> "RehearsalDocument":
    """The document with the ageing of the models, if it was asked for; a progress bar on stderr."""
    if aged is None:
        return document
    from msgspec import structs
    from rich.console import Console
    from rich.progress import Progress

    from gatekeeper.rehearsal.model_ages import measured, trainings

    plans = trainings(plan, aged.train_years, aged.half_lives)
    with Progress(console=Console(stderr=True)) as shown:
        bar = shown.add_task("weeks for ageing", total=len(plans) * len(plan.as_ofs))
        found = measured(plans, jobs=jobs, progress=lambda: shown.advance(bar))
    return structs.replace(document, ageing=found)


def show_ageing(found: "Ageing | None") -> None:
    """A table for each training: rows are ages and holdouts, columns start dates."""
    if found is None:
        return
    from gatekeeper.rehearsal.ageing_tables import ageing_tables

    for each in ageing_tables(found):
        echo(f"{each.name}: annual Sharpe less the newest model's ± standard error (smallest visible)", "")
        if each.refusal:
            echo(each.refusal, "")
            continue
        columns = ("", *(f"from {day}" for day in each.begins))
        table(columns, [(label, *cells) for label, cells in each.rows], empty="")
        echo()
