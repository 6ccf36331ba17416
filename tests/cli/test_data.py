"""Command `data`: screen, JSON, page and exit code, on real files and on whatever else a path may name."""

import gzip
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from command_shell import Shell
from market_bars import random_bars

from gatekeeper.documents import passport as passports
from gatekeeper.settings import Settings

Data = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> Data:
    """The command: exit code, output and errors. columns: the terminal's width; settings by name."""

    def run(*words: str, columns: int = 80, **settings: str) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        for name, value in settings.items():
            monkeypatch.setenv(f"GATEKEEPER_{name}", value)
        return bare("data", *words)

    return run


def answer(data: Data, *words: str, code: int = 0, **settings: str) -> dict[str, Any]:
    ended, out, err = data(*words, "--json", **settings)
    assert ended == code, err
    found: dict[str, Any] = json.loads(out)
    return found


def bars(symbol: str = "AAA", seed: int = 0, years: int = 6) -> pd.DataFrame:
    """Daily bars of business days up to 2023-12-29."""
    days = pd.bdate_range(end="2023-12-29", periods=years * 260)
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.012, len(days))))
    opened = close * np.exp(rng.normal(0, 0.002, len(days)))
    reach = np.abs(rng.normal(0, 0.006, (2, len(days))))
    high, low = np.maximum(opened, close) * (1 + reach[0]), np.minimum(opened, close) * (1 - reach[1])
    volume = rng.integers(900, 1100, len(days))
    return pd.DataFrame(
        {"time": days, "open": opened, "high": high, "low": low, "close": close, "volume": volume}
    ).assign(symbol=symbol)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file for each of two symbols."""
    made = tmp_path_factory.mktemp("bars")
    for seed, symbol in enumerate(("AAA", "BBB")):
        bars(symbol, seed).drop(columns="symbol").to_csv(made / f"{symbol}.csv", index=False)
    return made


def test_a_folder_alone_is_read_as_bars(data: Data, folder: Path) -> None:
    """The data end on Friday 2023-12-29, so the last Monday that they cover is 2024-01-01."""
    answered = answer(data, str(folder))
    passport = passports.of_object(answered["passport"])
    assert answered["use"] == f"export GATEKEEPER_DATA=candles:{folder}"
    assert passport.as_of.isoformat() == "2024-01-01T02:00:00+00:00"
    assert [(each.symbol, each.bars) for each in passport.symbols] == [("AAA", 1560), ("BBB", 1560)]
    assert passport.digest == passports.digest_of(passport)
    (layout,) = passport.layouts
    assert (layout.files, layout.first) == (2, "AAA.csv")
    assert answered["refusal"] is None


def test_the_floors_are_counted(data: Data, folder: Path) -> None:
    """The holdout of 365 days less 30 of embargo holds the business days of 2023-01-31 to 2023-12-29 that ended."""
    answered = answer(data, str(folder))
    floors = {each["setting"]: each for each in answered["prospects"]["floors"]}
    settings = Settings()
    start = np.datetime64("2024-01-01") - settings.holdout_days + settings.embargo_days
    assert floors["GATEKEEPER_FLOOR_DAYS"]["has"] == np.busday_count(start, "2024-01-01")
    assert floors["GATEKEEPER_MIN_IDEAS"]["needs"] == settings.min_ideas
    passport = answered["passport"]
    span = np.busday_count(passport["ideas"]["first"][:10], "2023-12-30")
    assert answered["prospects"]["ideas_a_year"] == pytest.approx(passport["ideas"]["ideas"] / span * 260, rel=0.01)


def test_a_store_without_times_is_told(data: Data) -> None:
    """Which of its last bars were whole when it was written, nobody can know."""
    frame = bars().drop(columns="symbol")
    fsspec.filesystem("memory").pipe_file("/prices/AAA.csv", frame.to_csv(index=False).encode())
    code, out, _ = data("candles:memory://prices/AAA.csv")
    assert code == 0
    assert "written  unknown: their store doesn't say\n" in out
    assert out.rstrip().endswith("export GATEKEEPER_DATA=candles:memory://prices/AAA.csv")


WRITTEN = [
    ("comma", ",", ".", "iso", {"delimiter": ",", "decimal": "."}),
    ("german", ";", ",", "iso", {"delimiter": ";", "decimal": ","}),
    ("tabs", "\t", ".", "s", {"delimiter": "\t", "decimal": ".", "time_unit": "s"}),
    ("epochs", ",", ".", "ms", {"delimiter": ",", "decimal": ".", "time_unit": "ms"}),
    ("finer", ",", ".", "ns", {"delimiter": ",", "decimal": ".", "time_unit": "ns"}),
]


@pytest.mark.parametrize(("name", "delimiter", "decimal", "times", "told"), WRITTEN, ids=[each[0] for each in WRITTEN])
def test_how_a_file_is_written_is_told(
    data: Data, tmp_path: Path, name: str, delimiter: str, decimal: str, times: str, told: dict[str, str]
) -> None:
    frame = bars("AAA", 1).drop(columns="symbol").round(2)
    if times != "iso":
        frame["time"] = pd.to_datetime(frame["time"], utc=True).dt.as_unit(times).astype("int64")
    frame.to_csv(tmp_path / f"{name}.csv", sep=delimiter, decimal=decimal, index=False)
    (layout,) = answer(data, str(tmp_path / f"{name}.csv"))["passport"]["layouts"]
    assert {key: layout[key] for key in ("delimiter", "decimal", "time_unit") if key in layout} == told


def test_files_of_one_vendor_with_other_epochs_are_told_apart(data: Data, tmp_path: Path) -> None:
    """Binance's months of 2024 have milliseconds, those of 2025 microseconds."""
    frame = bars("AAA", 1).drop(columns="symbol")
    stamps = pd.to_datetime(frame["time"], utc=True)
    for unit, rows in (("ms", slice(0, 800)), ("us", slice(800, None))):
        part = frame.assign(time=stamps.dt.as_unit(unit).astype("int64")).iloc[rows]
        part.to_csv(tmp_path / f"AAA-1d-{stamps.iloc[rows].iloc[0]:%Y}.csv", index=False)
    layouts = answer(data, str(tmp_path))["passport"]["layouts"]
    assert [each["time_unit"] for each in layouts] == ["ms", "us"]


@pytest.mark.parametrize("given", ["bars", "bars/", "./bars", "candles:bars", "bars/*.csv"])
def test_the_line_to_use_works_from_any_folder(
    data: Data, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Airflow and the servers are started in folders of their own, where `bars` is nothing."""
    shutil.copytree(folder, tmp_path / "bars")
    monkeypatch.chdir(tmp_path)
    place = shlex.split(answer(data, given)["use"])[1].removeprefix("GATEKEEPER_DATA=candles:")
    assert place == str(tmp_path / given.removeprefix("candles:"))


@pytest.mark.parametrize("columns", [80, 60])
def test_the_screen_fits_and_ends_with_the_line_to_use(data: Data, folder: Path, columns: int) -> None:
    code, out, _ = data(str(folder), columns=columns)
    assert code == 0
    lines = out.rstrip("\n").split("\n")
    assert max(len(line) for line in lines[:-1]) <= columns  # the last one is to be copied whole
    assert lines[-1] == f"export GATEKEEPER_DATA=candles:{folder}"
    assert "\x1b" not in out
    assert "Findings: 0 refused, 0 warnings, 0 notes" in out


def test_too_short_a_history_says_when_and_what_to_change(data: Data, tmp_path: Path) -> None:
    """Two years of one symbol: no holdout of a year is left beside 200 ideas, and no other helps."""
    bars(years=2).to_csv(tmp_path / "AAA.csv", index=False)
    answered = answer(data, str(tmp_path))
    unmet = [each["setting"] for each in answered["prospects"]["floors"] if each["has"] < each["needs"]]
    assert "GATEKEEPER_MIN_IDEAS" in unmet
    assert answered["prospects"]["first_judged"] > "2024-01-01"
    assert "a first model can be judged from about" in answered["prospects"]["advice"]


def test_a_holdout_that_can_never_do_is_named_with_one_that_can(data: Data, folder: Path) -> None:
    """60 market days don't fit into 60 days."""
    answered = answer(data, str(folder), HOLDOUT_DAYS="60")
    change = answered["prospects"]["change"]
    assert change.startswith("GATEKEEPER_HOLDOUT_DAYS=")
    assert answered["prospects"]["first_judged"] is None
    again = answer(data, str(folder), HOLDOUT_DAYS=change.partition("=")[2])
    assert all(each["has"] >= each["needs"] for each in again["prospects"]["floors"])


def test_without_a_uri_it_is_the_setting(data: Data, folder: Path) -> None:
    assert answer(data, DATA=f"candles:{folder}")["passport"]["source"] == f"candles:{folder}"


def test_the_page_has_a_picture_of_each_symbol_and_nothing_from_outside(
    data: Data, folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "page.html"
    _, out, _ = data(str(folder), "-o", str(place))
    assert out.endswith(f"Wrote {place}.\n")
    page = place.read_text()
    for name in ("symbol-1", "symbol-2", "feature-1"):
        assert f'id="about-{name}"' in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page


HOSTILE = "<script>alert(1)</script>\x1b[31m"


def test_names_are_text_on_screen_and_page(data: Data, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    bars(HOSTILE).to_csv(tmp_path / "bars.csv", index=False)
    _, out, _ = data(str(tmp_path / "bars.csv"), "-o", str(place))
    assert "\x1b" not in out
    assert "<script" not in place.read_text()
    assert "&lt;script&gt;" in place.read_text()


BAD = {
    "empty.csv": b"",
    "header.csv": b"time,open,high,low,close\n",
    "garbage.csv": np.random.default_rng(1).bytes(4096),
    "garbage.parquet": np.random.default_rng(2).bytes(4096),
    "garbage.feather": np.random.default_rng(3).bytes(4096),
    "cut.csv.gz": gzip.compress(b"time,open,high,low,close\n2020-01-01,1,1,1,1\n")[:-9],
    "words.csv": b"to be or not to be\nthat is the question\n",
    "picture.png": b"\x89PNG\r\n\x1a\n",
    "nul.csv": b"\0" * 100,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_words(data: Data, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BAD[name])
    code, out, _ = data(str(tmp_path / name))
    assert code == 1
    assert "REFUSED" in out
    assert answer(data, str(tmp_path / name), code=1)["refusal"]


def test_a_path_without_data_is_refused(data: Data, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("no bars")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")  # which not even root can read
    for place in ("missing.csv", "empty", "other", "nothing*.csv", "loop.csv"):
        code, out, _ = data(str(tmp_path / place))
        assert code == 1, place
        assert "REFUSED" in out


@pytest.mark.parametrize("words", [("--as-of", "2999-01-01"), ("--nonsense",), ("a", "b")])
def test_a_wrong_call_ends_with_2(data: Data, words: tuple[str, ...]) -> None:
    assert data(*words)[0] == 2


def test_no_secret_of_a_url_is_shown(data: Data) -> None:
    """Nothing listens there, so it can't be read; the password and the token stay unsaid."""
    for words in ((), ("--json",)):
        code, out, err = data("candles:http://ann:geheim@127.0.0.1:9/AAA.csv?token=verborgen", *words)
        assert code == 1
        assert "geheim" not in out + err
        assert "verborgen" not in out + err


def test_a_source_that_is_refused_is_shown_all_the_same(data: Data, tmp_path: Path) -> None:
    """A row of 0 prices stops the reading: the files and columns that were seen stand there, and the refusal."""
    frame = bars()
    frame.loc[7, "low"] = 0.0
    frame.to_csv(tmp_path / "AAA.csv", index=False)
    code, out, _ = data(str(tmp_path))
    assert code == 1
    assert "columns  time, open, high, low, close, volume, symbol" in out
    assert "REFUSED" in out
    assert "row 8 (AAA" in out.replace("\n", " ")
    assert out.rstrip().endswith(f"export GATEKEEPER_DATA=candles:{tmp_path}")


def test_a_split_is_refused_and_all_the_rest_is_shown_nevertheless(data: Data, tmp_path: Path) -> None:
    """Case 78: prices of a 4:1 split that nobody adjusted; exit 1 until its key is accepted."""
    frame = bars()
    late = frame["time"] >= "2021-06-01"
    frame.loc[late, ["open", "high", "low", "close"]] /= 4
    frame.to_csv(tmp_path / "bars.csv", index=False)
    place = str(tmp_path / "bars.csv")
    answered = answer(data, place, code=1)
    (finding,) = [each for each in answered["passport"]["findings"] if each["severity"] == "refused"]
    assert finding["key"] == "split:AAA:2021-06-01"
    assert answered["prospects"]["floors"][0]["has"] > 0
    page = tmp_path / "page.html"
    code, out, _ = data(place, "-o", str(page))
    assert code == 1
    assert "GATEKEEPER_SPLITS" in out
    assert "1 suspected (dashed)" in page.read_text()
    assert data(place, ACCEPT="split:AAA:2021-06-01")[0] == 0


def test_strict_fails_on_a_warning(data: Data, tmp_path: Path) -> None:
    """A fall by half on 22 times the volume, in a wide bar, is a crash and no split: warned."""
    frame = bars()
    late = frame["time"] >= "2021-06-01"
    frame.loc[late, ["open", "high", "low", "close"]] *= 0.51
    day = frame.index[late][0]
    frame.loc[day, "low"] *= 0.8
    frame.loc[day, "volume"] *= 22
    frame.to_csv(tmp_path / "bars.csv", index=False)
    place = str(tmp_path / "bars.csv")
    assert answer(data, place)["passport"]["findings"][0]["severity"] == "warning"
    assert data(place, "--strict")[0] == 1


def test_a_file_of_unknown_shape_loads_with_the_mapping_that_its_refusal_prints(data: Data, tmp_path: Path) -> None:
    """In three commands: the refusal, its mapping pasted, the passport."""
    names = {"time": "Tag", "open": "A", "high": "B", "low": "C", "close": "D", "volume": "Umsatz"}
    frame = random_bars(1500, 0).assign(volume=1000)
    frame.rename(columns=names).to_csv(tmp_path / "DAX.csv", index=False)
    ended, out, _ = data(str(tmp_path / "DAX.csv"))
    mapping = out[out.index("[default.columns]") : out.index("END\nexport")]
    assert ended == 1
    assert out.endswith(
        f'END\nexport GATEKEEPER_COLUMNS="$PWD/columns.toml"\ngatekeeper data candles:{tmp_path}/DAX.csv\n'
    )
    (tmp_path / "desks.toml").write_text(mapping)
    found = answer(data, str(tmp_path / "DAX.csv"), DESKS=str(tmp_path / "desks.toml"))
    assert found["mapping"] is None
    assert answer(data, str(tmp_path / "DAX.csv"), COLUMNS=str(tmp_path / "desks.toml")) == found
    frame.assign(close=-1).rename(columns=names).to_csv(tmp_path / "DAX.csv", index=False)
    assert "candles" in answer(data, str(tmp_path / "DAX.csv"), code=1, COLUMNS=str(tmp_path / "desks.toml"))["use"]
    assert [each["symbol"] for each in found["passport"]["symbols"]] == ["DAX"]


def test_a_path_of_labelled_ideas_tells_what_is_wrong_with_the_ideas(data: Data, tmp_path: Path) -> None:
    """Not that they have no column open, high, low and close."""
    ideas = pd.read_csv(Path(__file__).parents[2] / "docs" / "samples" / "ideas.csv")
    pd.concat([ideas, ideas.tail(1).assign(outcome=0.5)]).to_csv(tmp_path / "ideas.csv", index=False)
    ended, out, _ = data(str(tmp_path / "ideas.csv"))
    assert ended == 1
    assert "two ideas of the same symbol" in " ".join(out.split())
    assert f"GATEKEEPER_DATA=ideas:{tmp_path}/ideas.csv" in out


def test_what_cant_be_rehearsed_yet_is_not_offered_at_once(data: Data, tmp_path: Path) -> None:
    """300 days leave nothing to train on before a holdout of a year, and no shorter one has 200 ideas before it."""
    bars().tail(300).to_csv(tmp_path / "bars.csv", index=False)
    ended, out, _ = data(str(tmp_path / "bars.csv"))
    assert ended == 0
    assert "NOT MET" in out
    assert "There is nothing to rehearse yet. Once there is:\nexport GATEKEEPER_DATA=candles:" in out
