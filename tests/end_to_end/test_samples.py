"""Sample files of the page *Your data*: made by their script alone, and every column of a source explained there."""

import io
import runpy
from pathlib import Path

import pandas as pd
import pytest

from gatekeeper.market.data.bars import candles
from gatekeeper.market.data.trades import labelled

HOUSE = Path(__file__).parents[2]
SAMPLES = HOUSE / "docs" / "samples"
PAGE = (HOUSE / "docs" / "get-started" / "your-data.md").read_text()


@pytest.fixture(scope="module")
def script() -> dict[str, object]:
    return runpy.run_path(str(SAMPLES / "make.py"))


@pytest.mark.parametrize(("name", "arguments"), [("candles", ()), ("ideas", (SAMPLES / "candles.csv",))])
def test_the_script_makes_the_sample(script: dict[str, object], name: str, arguments: tuple[Path, ...]) -> None:
    made = script[name](*arguments)  # type: ignore[operator]  # runpy gives objects
    written = pd.read_csv(io.StringIO(made.to_csv(index=False)))  # type: ignore[attr-defined]  # a data frame
    pd.testing.assert_frame_equal(written, pd.read_csv(SAMPLES / f"{name}.csv"))


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("## Bars", ("time", *candles.PRICES, "symbol", "volume", *candles.EXTRAS)),
        ("## Ideas", (*labelled._REQUIRED, "known_at", "strategy", "path", "cost", "atr")),
    ],
)
def test_the_page_explains_every_column(heading: str, columns: tuple[str, ...]) -> None:
    section = PAGE.split(heading + "\n")[1].split("\n## ")[0]
    rows = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert [column for column in columns if f"`{column}`" not in rows] == []
