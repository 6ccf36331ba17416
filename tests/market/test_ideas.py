"""Ideas and datasets as values: taking, joining, fingerprints, and the file between the steps."""

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import utc

from gatekeeper.errors import DataError, Unavailable
from gatekeeper.market.ideas import Dataset, Ideas, instant, join, market_day, moment, no_ideas


def some_ideas(lengths: list[int], seed: int = 0) -> Ideas:
    rng = np.random.default_rng(seed)
    n, m = len(lengths), sum(lengths)
    time = np.datetime64("2018-01-01", "ns") + rng.permutation(n) * np.timedelta64(1, "D")
    return Ideas(
        symbol=rng.choice(["AAPL", "Ä"], n).astype(np.str_),
        strategy=np.full(n, "s"),
        time=time,
        features=rng.normal(size=(n, 7)).astype(np.float32),
        outcome=rng.normal(size=n),
        closed_at=time + np.timedelta64(2, "D"),
        known_at=time + np.timedelta64(3, "D"),
        path_start=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        path_day=np.datetime64("2018-01-01") + np.arange(m),
        path_return=rng.normal(size=m),
        atr=rng.uniform(0.01, 0.03, size=n),
        costs=rng.uniform(0, 1e-3, size=(n, 4)),
    )


def dataset(ideas: Ideas) -> Dataset:
    days = np.arange(np.datetime64("2018-01-01"), np.datetime64("2018-02-01"))
    return Dataset(ideas, days, 252, utc("2018-02-01"), utc("2018-01-31"), True, "demo:", ("a note",))


def path_of(ideas: Ideas, i: int) -> list[float]:
    return ideas.path_return[ideas.path_start[i] : ideas.path_start[i + 1]].tolist()


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(0, 4), max_size=8), data=st.data())
def test_taking_rows_takes_their_paths(lengths: list[int], data: st.DataObject) -> None:
    ideas = some_ideas(lengths)
    rows = data.draw(st.lists(st.sampled_from(range(len(lengths))), max_size=10)) if lengths else []
    taken = ideas.take(rows)
    assert [path_of(taken, i) for i in range(len(rows))] == [path_of(ideas, row) for row in rows]
    assert taken.outcome.tolist() == [float(ideas.outcome[row]) for row in rows]
    assert taken.atr.tolist() == [float(ideas.atr[row]) for row in rows]
    assert taken.costs.tolist() == [ideas.costs[row].tolist() for row in rows]


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(0, 4), min_size=1, max_size=8), data=st.data())
def test_what_is_split_by_a_mask_and_joined_again_is_the_same(lengths: list[int], data: st.DataObject) -> None:
    ideas = some_ideas(lengths)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(lengths), max_size=len(lengths))))
    again = join([ideas.take(~mask), ideas.take(mask)])
    assert again.fingerprint() == ideas.in_order().fingerprint()


def test_order_is_time_then_symbol_then_strategy() -> None:
    ideas = some_ideas([1, 1, 1, 1])
    day = np.datetime64("2018-01-01", "ns")
    ideas = replace(
        ideas,
        time=np.array([day + 1, day, day, day]),
        symbol=np.array(["A", "B", "A", "A"]),
        strategy=np.array(["a", "a", "b", "a"]),
    ).in_order()
    assert list(zip(ideas.symbol, ideas.strategy, strict=True)) == [("A", "a"), ("A", "b"), ("B", "a"), ("A", "a")]


def test_the_fingerprint_sees_each_column_that_decides() -> None:
    ideas = some_ideas([2, 1])
    seen = {ideas.fingerprint()}
    for field in fields(Ideas):
        column = getattr(ideas, field.name).copy()
        column[-1:] = "Z" if column.dtype.kind == "U" else column[-1:] + 1
        seen.add(replace(ideas, **{field.name: column}).fingerprint())
    assert len(seen) == 1 + len(fields(Ideas)) - len(["costs"])


def test_a_column_that_some_ideas_lack_is_left_out_when_they_are_joined() -> None:
    with_costs, without = some_ideas([2, 1]), replace(some_ideas([1], seed=1), costs=None)
    together = join([with_costs, without])
    assert together.costs is None
    assert together.atr.tolist() == join([without, with_costs]).atr.tolist()
    assert len(together.atr) == 3


def test_the_fingerprint_ignores_how_wide_the_text_is_stored() -> None:
    ideas = some_ideas([2, 1])
    assert replace(ideas, symbol=ideas.symbol.astype("<U40")).fingerprint() == ideas.fingerprint()


def test_a_win_makes_money() -> None:
    ideas = replace(some_ideas([1, 1, 1]), outcome=np.array([0.01, 0.0, -0.01]))
    assert ideas.wins.tolist() == [True, False, False]


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="differ in length"):
        replace(some_ideas([1, 1]), outcome=np.zeros(3))
    with pytest.raises(DataError, match="float64"):
        replace(some_ideas([1, 1]), features=np.zeros((2, 7)))
    with pytest.raises(DataError, match="3 of 2 ideas"):
        replace(some_ideas([1, 1]), costs=np.zeros((3, 4)))


def test_a_dataset_comes_back_from_its_file(tmp_path: Path) -> None:
    for ideas in (some_ideas([2, 0, 3]), no_ideas()):
        before = dataset(ideas)
        sha256 = before.save(tmp_path / "new" / "dataset.npz")
        after = Dataset.load(tmp_path / "new" / "dataset.npz", sha256)
        assert after.fingerprint() == before.fingerprint()
        assert after.ideas.columns().keys() == before.ideas.columns().keys()
        assert ideas.costs is None or after.ideas.costs.tolist() == ideas.costs.tolist()
        assert (after.source, after.notes, after.as_of) == (before.source, before.notes, before.as_of)
        assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["dataset.npz"]


def test_the_same_dataset_gives_the_same_bytes(tmp_path: Path) -> None:
    assert dataset(some_ideas([2])).save(tmp_path / "a") == dataset(some_ideas([2])).save(tmp_path / "b")


def test_other_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "dataset.npz"
    sha256 = dataset(some_ideas([2, 1])).save(path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match=f"not {sha256}"):
        Dataset.load(path, sha256)
    with pytest.raises(DataError, match=r"other\.npz"):
        Dataset.load(tmp_path / "other.npz", sha256)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(Unavailable, match="taken"):
        dataset(some_ideas([1])).save(tmp_path / "taken")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


def test_the_dataset_fingerprint_is_of_what_was_known_not_of_where_it_was() -> None:
    one = dataset(some_ideas([2, 1]))
    assert replace(one, source="elsewhere", notes=()).fingerprint() == one.fingerprint()
    assert replace(one, market_days=one.market_days[1:]).fingerprint() != one.fingerprint()
    assert replace(one, periods_per_year=365).fingerprint() != one.fingerprint()


def test_instants_go_there_and_back() -> None:
    assert instant(utc("2018-01-01T02:00:00.000005")) == np.datetime64("2018-01-01T02:00:00.000005000")
    assert moment(np.datetime64("2018-01-01T02:00:00.000005000")) == utc("2018-01-01T02:00:00.000005")


def test_midnight_belongs_to_the_day_it_ends() -> None:
    closes = np.array(["2018-01-02T00:00", "2018-01-02T00:00:01"], dtype="datetime64[ns]")
    assert market_day(closes).astype(str).tolist() == ["2018-01-01", "2018-01-02"]


def fingerprinted(ideas: Ideas) -> str:
    """The plain way: texts as JSON, numbers as little-endian bytes, each behind its name, kind, shape and length."""
    digest = hashlib.sha256()
    for name, column in ideas.columns().items():
        if name != "costs":
            texts = column.dtype.kind == "U"
            little = column.dtype.newbyteorder("<")
            content = json.dumps(column.tolist()).encode() if texts else column.astype(little).tobytes()
            digest.update(f"{name} {column.dtype.kind} {column.shape} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@given(st.lists(st.text(st.sampled_from('aB7 -."\\/\x00\x1f\x7fé€😀'), max_size=5), max_size=4))
def test_texts_are_fingerprinted_as_json_writes_them(texts: list[str]) -> None:
    """Plain ones are written in another way; all have to come out the same, or a stored fingerprint would change."""
    ideas = replace(some_ideas([1] * len(texts)), symbol=np.array(texts, dtype=np.str_))
    assert ideas.fingerprint() == fingerprinted(ideas)
