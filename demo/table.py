"""The demo's table: its eight Mondays of 2018, and the line that each one's evaluation makes."""

from datetime import UTC, datetime, timedelta

from gatekeeper.registry import Evaluation

FIRST = datetime(2018, 11, 5, 2, tzinfo=UTC)
MONDAYS = [FIRST + timedelta(weeks=week) for week in range(8)]
HEAD = (
    "Monday      challenger     champion  challenger   ungated     gain    bound  differ  verdict    gate that decided"
)


def line(evaluation: Evaluation) -> str:
    """One Monday: date, challenger, annual Sharpe of the three, gain and its lower bound, verdict and why."""
    document = evaluation.document
    verdict, cards = document.verdict, document.scorecards
    champion = cards.champion
    differing = "-" if verdict.differing is None else str(verdict.differing)
    return (
        f"{evaluation.as_of:%Y-%m-%d}  {f'gatekeeper_{evaluation.challenger}':<12}"
        f"{number(champion and champion.sharpe):>11}{number(cards.challenger.sharpe):>12}"
        f"{number(cards.ungated.sharpe):>10}{number(verdict.gain):>9}{number(verdict.bound):>9}"
        f"{differing:>8}  {verdict.answer:<9}  {verdict.decided_by}"
    )


def number(value: float | None) -> str:
    """Two places, or a dash if it is undefined."""
    return "-" if value is None else f"{value:.2f}"
