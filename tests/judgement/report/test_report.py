"""Report: one self-contained page, complete and small."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from gatekeeper.judgement import document, judge, policy_of, render, run
from gatekeeper.market.ideas import Dataset
from gatekeeper.settings import Settings

pytestmark = pytest.mark.xdist_group("report")  # what its tests share is made once

Make = Callable[..., Any]
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Every element and its attributes; fails on a tag that isn't closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def known(dataset: Make, ideas: Make) -> Dataset:
    """An idea for each weekday of 300, of many sizes."""
    random = np.random.default_rng(5)
    days = np.arange("2017-12-01", "2018-10-20", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    return dataset(ideas([(str(day), {str(day): float(random.normal(0, 0.02))}) for day in days]))


def page(known: Dataset, challenger: Any, champion: Any = None, **settings: Any) -> str:
    chosen = Settings(**settings)
    book = run(known, chosen, challenger, champion)
    policy = policy_of(chosen, known.periods_per_year)
    return render(document(book, judge(book.challenger, book.champion, policy, book.ungated), known))


@pytest.fixture(scope="module")
def two(contender: Make) -> tuple[Any, Any]:
    return (
        contender("gatekeeper_2", keeps=range(0, 300, 2), sha256="aa" * 32),
        contender("gatekeeper_primary1", keeps=range(0, 300, 3), sha256="bb" * 32),
    )


@pytest.fixture(scope="module")
def usual(known: Dataset, two: Any) -> str:
    """The page of the two, drawn once."""
    return page(known, *two)


def test_says_what_it_must(usual: str) -> None:
    text = " ".join(re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", usual, flags=re.S).split())
    for said in (
        "gatekeeper_2 against gatekeeper_primary1",
        "Weekly run as of 2018-11-05 02:00 UTC",
        "comparable", "enough", "defined", "distinct", "better", "drawdown", "bound",
        "safe (in force)", "proven",
        "Marked to market along each trade's path",
        "times the square root of 252 (exchange days)",
        "The challenger has not seen the last 381 days: its data end 2017-10-20.",
        "Each trade is 5.00 % of the initial capital",
        "aa" * 32, "bb" * 32,
        "ungated",
        "by symbol", "by strategy", "by month",
    ):  # fmt: skip
        assert said in text.replace("&#39;", "'"), said
    flips = re.search(r"Flip list: (\d+) ideas decided differently", text)
    apart = re.search(r"only the challenger (\d+), only the champion (\d+)", text)
    assert flips and apart
    assert int(flips[1]) == int(apart[1]) + int(apart[2]) > 100


def test_marking_and_calendar_are_stated(known: Dataset, two: Any) -> None:
    """Cases 37 and 62: which rule, and how many periods."""
    other = replace(known, marked=False, periods_per_year=365)
    text = page(other, *two)
    assert "booked on the day of its exit" in text
    assert "365 (around the clock)" in text
    assert "Marked to market" not in text


def test_needs_nothing_from_outside(usual: str) -> None:
    seen = Page(usual).seen
    assert "http" not in usual
    assert "//" not in re.sub(r"[A-Za-z]://", "", usual)
    assert not {tag for tag, _ in seen} & {"script", "link", "iframe", "object", "embed", "img", "base", "form"}
    assert not [name for _, attrs in seen for name in attrs if name.startswith("on")]
    for _, attrs in seen:
        for name in ("src", "href"):
            assert (attrs.get(name) or "#").startswith("#")
    assert all(address.startswith("#") for address in re.findall(r"url\(([^)]*)\)", usual))


def test_every_chart_has_its_words_and_no_id_is_used_twice(usual: str) -> None:
    seen = Page(usual).seen
    ids = [attrs["id"] for _, attrs in seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    charts = [attrs for tag, attrs in seen if tag == "svg"]
    assert len(charts) == 8
    assert all(attrs["role"] == "img" and attrs["aria-labelledby"] in ids for attrs in charts)
    targets = [attrs["href"][1:] for tag, attrs in seen if tag == "use"]
    assert targets
    assert set(targets) <= set(ids)


def test_same_document_same_bytes(usual: str, known: Dataset, two: Any) -> None:
    assert page(known, *two) == usual


def test_text_from_outside_is_escaped(known: Dataset, two: Any) -> None:
    evil = "<script>alert(1)</script>"
    text = page(replace(known, source=f"candles:{evil}", notes=(evil,)), replace(two[0], name=evil), two[1])
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    Page(text)


def test_many_years_and_ideas_stay_small(dataset: Make, ideas: Make, two: Any) -> None:
    random = np.random.default_rng(5)
    days = np.arange("2009-01-01", "2018-10-01", dtype="datetime64[D]")
    rows = [(str(day), {str(day): float(part)}) for day in days for part in random.standard_t(2, 5) / 50]
    early = [replace(each, trained_to=datetime(2008, 1, 1, tzinfo=UTC)) for each in two]
    text = page(dataset(ideas(rows), first="2008-01-01", around_the_clock=True), *early, holdout_days=3650)
    assert len(text.encode()) < 500_000
    Page(text)


def test_every_kind_of_verdict_has_a_page(known: Dataset, contender: Make, two: Any) -> None:
    challenger, champion = two
    pages = {
        "the first": page(known, challenger),
        "same decisions": page(known, challenger, replace(champion, sha256=challenger.sha256)),
        "This needs a person's attention": page(known, challenger, replace(champion, trained_to=None)),
        "the window is empty": page(
            known, challenger, replace(champion, trained_to=None, created_at=datetime(2018, 11, 4, tzinfo=UTC))
        ),
        "training data is unknown": page(known, replace(challenger, trained_to=None), champion),
        "floor 30": page(replace(known, ideas=known.ideas.take(slice(0, 3))), *two),
    }
    for said, text in pages.items():
        assert said in text
        Page(text)


def test_made_less_than_no_gate(known: Dataset, contender: Make, two: Any) -> None:
    """Case 41: the ungated figure stands beside the two; a gate that cost money is told."""
    losing = [int(i) for i in np.flatnonzero(known.ideas.outcome < 0)]
    text = page(known, contender("gatekeeper_2", keeps=losing), two[1])
    assert "The challenger made less than ungated (every idea taken)" in text
    winning = [int(i) for i in np.flatnonzero(known.ideas.outcome > 0)]
    assert "made less than" not in page(known, contender("gatekeeper_2", keeps=winning), two[1])
