"""What can be seen with my ideas?"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.show import as_json, json_option, opened, table
from gatekeeper.errors import UnknownModel

if TYPE_CHECKING:
    from gatekeeper.registry import Evaluation, Registry

AT_ONCE = 10


@click.command()
@click.option("--correlation", type=float, help="Of two models' daily returns; default: as in the newest evaluation.")
@click.option("--years", "windows", multiple=True, type=click.FloatRange(0.1, 50), help="A window; again for more.")
@json_option
def plan(correlation: float | None, windows: tuple[float, ...], as_json_: bool) -> None:
    """Which gain each policy can see in which window: before you wait a year for a verdict that can't come.

    By the newest evaluation of the registry, whose days it takes as typical; with --correlation by the closed form.

    Example: gatekeeper plan --years 1 --years 3
    """
    from gatekeeper import config
    from gatekeeper.judgement.rule import power
    from gatekeeper.judgement.rule.verdict import Policy

    settings = config.load()
    if correlation is None:
        with opened() as registry:
            found = next((e for e in _newest(registry) if e.document.verdict.standard_error), None)
        if found is None:
            raise UnknownModel(
                "no evaluation here has a gain with an error yet; name --correlation: 0.5 for models that share "
                "little, 0.9 for two of the same recipe"
            )
        by = power.measured(found.document)
        periods, source = found.document.rules.periods_per_year, f"evaluation {found.id}"
    else:
        by, periods, source = power.supposed(correlation, 1.0), 252, "the closed form"
    sights = power.sights(Policy.from_settings(settings, periods), by, windows or power.WINDOWS)
    if as_json_:
        wanted = {"gain_of_interest": settings.gain_of_interest, "power": settings.power}
        as_json({"by": source, **asdict(by), **wanted, "sights": [asdict(each) for each in sights]})
        return
    told = "unknown" if by.correlation is None else f"{by.correlation:.2f}"
    click.echo(f"by {source}: correlation of the two {told}, standard error {by.over(1.0):.2f} in a year")
    click.echo(f"a gain is seen with a chance of {settings.power:.0%}; wanted is {settings.gain_of_interest:g}\n")
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
    table(("policy", "years", "error", "gain it shows", "shows the wanted", "lets an equal in"), rows, empty="")


def _newest(registry: "Registry") -> "Iterator[Evaluation]":
    """One after the other: the first few mostly do, and a large registry holds gigabytes of them."""
    page = registry.evaluations(limit=AT_ONCE)
    while page:
        yield from page
        page = registry.evaluations(limit=AT_ONCE, before=page[-1].id)


COMMANDS: dict[str, click.Command] = {"plan": plan}
