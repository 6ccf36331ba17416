"""Command `plan`: power analysis, the smallest Sharpe gain that each policy can detect."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.show import as_json, echo, json_option, opened, table
from gatekeeper.errors import UnknownModel

if TYPE_CHECKING:
    from gatekeeper.registry import Evaluation, Registry

AT_ONCE = 10


@click.command(short_help="Power analysis of the policies.")
@click.option(
    "--correlation", type=float, help="Correlation of two models' daily returns; default that of the newest evaluation."
)
@click.option(
    "--years", "windows", multiple=True, type=click.FloatRange(0.1, 50), help="Backtest length in years; repeatable."
)
@json_option
def plan(correlation: float | None, windows: tuple[float, ...], as_json_: bool) -> None:
    """Power analysis: the smallest Sharpe gain each policy can detect for a given backtest length.

    Based on the daily returns of the registry's newest evaluation, or on a closed formula with --correlation.

    Example: gatekeeper plan --years 1 --years 3
    """
    from gatekeeper import config
    from gatekeeper.judgement.backtest.rules import policy_of
    from gatekeeper.judgement.rule import power

    settings = config.load()
    if correlation is None:
        with opened() as registry:
            found = next((e for e in _newest(registry) if e.document.verdict.standard_error), None)
        if found is None:
            raise UnknownModel(
                "No evaluation has a gain with a standard error yet. Give --correlation, such as 0.5 for models that "
                "share little, or 0.9 for two of the same recipe."
            )
        by = power.measured(found.document)
        periods, source = found.document.rules.periods_per_year, f"evaluation {found.id}"
    else:
        by, periods, source = power.supposed(correlation, 1.0), 252, "the closed formula"
    sights = power.sights(policy_of(settings, periods), by, windows or power.WINDOWS)
    if as_json_:
        wanted = {"gain_of_interest": settings.gain_of_interest, "power": settings.power}
        as_json({"by": source, **asdict(by), **wanted, "sights": [asdict(each) for each in sights]})
        return
    shown = "unknown" if by.correlation is None else f"{by.correlation:.2f}"
    echo(f"By {source}: correlation {shown}, standard error {by.over(1.0):.2f} for one year.")
    echo(f"Power {settings.power:.0%}; the gain of interest is {settings.gain_of_interest:g}.", "")
    rows = [
        (
            each.policy,
            f"{each.years:g}",
            each.standard_error,
            each.detectable,
            "yes" if each.detectable <= settings.gain_of_interest else "no",
            f"{each.promotes_equals:.1%}",
        )
        for each in sights
    ]
    columns = ("policy", "years", "standard error", "detectable gain", "detects the gain of interest")
    table((*columns, "promotes an equal model"), rows, empty="")


def _newest(registry: "Registry") -> "Iterator[Evaluation]":
    """The evaluations, newest first, a page at a time: a large registry holds gigabytes of them."""
    page = registry.evaluations(limit=AT_ONCE)
    while page:
        yield from page
        page = registry.evaluations(limit=AT_ONCE, before=page[-1].id)


COMMANDS: dict[str, click.Command] = {"plan": plan}
