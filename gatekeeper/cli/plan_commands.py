"""Command `plan`: power analysis, the smallest Sharpe gain that each policy can detect."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.show import as_json, echo, json_option, opened, table
from gatekeeper.errors import UnknownModel

if TYPE_CHECKING:
    from gatekeeper.judgement.rule.power import Measured
    from gatekeeper.judgement.rule.spending import Alike
    from gatekeeper.judgement.rule.verdict import Policy
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

    Based on the daily returns of the registry's newest evaluation, or on a closed formula with --correlation. Then the
    false promotions a year: the budget, and what the challengers of the last year would spend of it.

    Example: gatekeeper plan --years 1 --years 3
    """
    from gatekeeper import config
    from gatekeeper.judgement.backtest.rules import policy_of
    from gatekeeper.judgement.rule import power, spending
    from gatekeeper.judgement.rule.verdict import POLICIES
    from gatekeeper.registry.records import COPIED

    settings = config.load()
    alike = None
    if correlation is None:
        with opened() as registry:
            found = next((e for e in _newest(registry) if e.document.verdict.standard_error), None)
            alike = spending.of_a_year((e.as_of, e.document) for e in _newest(registry) if e.kind != COPIED)
        if found is None:
            raise UnknownModel(
                "No evaluation has a gain with a standard error yet. Give --correlation, such as 0.5 for models that "
                "share little, or 0.9 for two of the same recipe."
            )
        by = power.measured(found.document)
        periods, source = found.document.rules.periods_per_year, f"evaluation {found.id}"
    else:
        by, periods, source = power.supposed(correlation, 1.0), 252, "the closed formula"
    policy = policy_of(settings, periods)
    sights = power.sights(policy, by, windows or power.WINDOWS)
    budgets = [_budgeted(policy.with_name(name), alike, by) for name in POLICIES if name != "better"]
    if as_json_:
        wanted = {"gain_of_interest": settings.gain_of_interest, "power": settings.power}
        made: dict[str, object] = {"schedule": settings.schedule, "tests_a_year": policy.tests_a_year}
        made |= {"challengers": None if alike is None else asdict(alike), "budgets": budgets}
        as_json({"by": source, **asdict(by), **wanted, "sights": [asdict(each) for each in sights], **made})
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
    _show_budgets(policy, settings.schedule, alike, budgets)


def _budgeted(policy: "Policy", alike: "Alike | None", by: "Measured") -> dict[str, object]:
    """Budget, z and what the challengers of the last year spend of it."""
    from gatekeeper.judgement.rule import spending

    spent = None if alike is None else spending.expected(policy, alike, by.standard_error)
    return {"policy": policy.name, "budget": policy.budget, "z": policy.z, "expected": spent}


def _show_budgets(
    policy: "Policy", schedule: str, alike: "Alike | None", budgets: "Sequence[Mapping[str, object]]"
) -> None:
    from gatekeeper.documents.budget import outside

    echo("", f"False promotions a year, in the {policy.tests_a_year} tests of the schedule {schedule!r}:", "")
    rows = [
        (row["policy"], f"{row['budget']:g}", f"{row['z']:.2f}", "-" if (n := row["expected"]) is None else f"{n:.2f}")
        for row in budgets
    ]
    table(("policy", "budget", "z", "spent by challengers like yours"), rows, empty="")
    for sentence in dict.fromkeys(outside(float(str(row["budget"])), policy.tests_a_year or 0) for row in budgets):
        if sentence:
            echo(sentence)
    if alike is None:
        echo(
            "",
            "The budget is a bound, not a forecast. What your challengers would spend of it is shown once the last "
            "year has 8 evaluations.",
        )
        return
    echo(
        "",
        f"The budget is a bound, not a forecast. The gains of the last {alike.challengers} challengers correlate by "
        f"{alike.correlation:.2f} (0.5: they share only the primary; 1: they are the same). If each were just bad "
        f"enough, for `safe` worse by {policy.safe_tolerance:g} and for `proven` no better, so many would be promoted "
        "(± 0.05).",
    )


def _newest(registry: "Registry") -> "Iterator[Evaluation]":
    """The evaluations, newest first, a page at a time: a large registry holds gigabytes of them."""
    page = registry.evaluations(limit=AT_ONCE)
    while page:
        yield from page
        page = registry.evaluations(limit=AT_ONCE, before=page[-1].id)


COMMANDS: dict[str, click.Command] = {"plan": plan}
