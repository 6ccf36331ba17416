"""Tables of an ageing, one for each training, the same for the command line and the page."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gatekeeper.documents.ageing import Ageing, AgeingCurve, AgeingDifference, TrainingAged

UNDEFINED = "-"

Row = tuple[str, list[str]]


@dataclass(frozen=True, slots=True)
class AgeingTable:
    """One training: its name, the start dates of the columns, and the rows; or why there are none."""

    name: str
    begins: list[str]
    rows: list[Row]
    refusal: str | None


def ageing_tables(found: Ageing | None) -> list[AgeingTable]:
    """The table of each training."""
    return [
        AgeingTable(_name(each), [curve.begins for curve in each.curves], list(_rows(each)), each.refusal)
        for each in (found.trainings if found else ())
    ]


def _name(training: TrainingAged) -> str:
    window = "all ideas" if training.train_years is None else f"ideas of the last {training.train_years:g} years"
    half = "" if training.half_life_days is None else f", half-life {training.half_life_days:g} days"
    return f"Trained on {window}{half}"


def _rows(training: TrainingAged) -> Iterator[Row]:
    curves = training.curves
    if not curves:
        return

    def row(label: str, cell: Callable[[AgeingCurve], str]) -> Row:
        return label, [cell(curve) for curve in curves]

    yield row("ideas", lambda curve: str(curve.ideas))
    yield row("newest model, Sharpe", lambda curve: _plain(curve.newest, curve.newest_error))
    if curves[0].over_first is not None:
        yield row("less that of the first training", lambda curve: _shown(curve.over_first))
    for place, age in enumerate(curves[0].bins):
        label = f"{age.since_weeks} to {age.until_weeks} weeks old"
        yield label, [_shown(curve.bins[place].difference) for curve in curves]
    for place, cost in enumerate(curves[0].holdouts):
        yield f"holdout of {cost.holdout_days} days", [_shown(curve.holdouts[place].difference) for curve in curves]
    yield row("change with each year of age", lambda curve: _shown(curve.slope))


def _shown(difference: AgeingDifference | None) -> str:
    if difference is None or difference.value is None or difference.detectable is None:
        return UNDEFINED
    return f"{_plain(difference.value, difference.error, '+')} ({difference.detectable:.2f})"


def _plain(value: float | None, error: float | None, sign: str = "") -> str:
    return UNDEFINED if value is None or error is None else f"{value:{sign}.2f} ± {error:.2f}"
