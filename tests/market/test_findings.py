"""Data findings: what is accepted, in which order they are told, and what a refusal says."""

import pytest

from gatekeeper.config import load
from gatekeeper.errors import DataError
from gatekeeper.market.findings import Finding, Severity, judged, lines, refuse

NOTE = Finding(Severity.NOTE, "calendar", "AAPL", "", "AAPL fits XNYS.")
TWIN = Finding(Severity.WARNING, "twin", "GOOG", "", "GOOG and GOOGL move alike.", "twin:GOOG:GOOGL")
SPLIT = Finding(Severity.REFUSED, "split", "AAPL", "2005-02-28", "AAPL opens at half.", "split:AAPL:2005-02-28")


def test_the_most_severe_come_first_and_accepted_ones_are_notes() -> None:
    found = judged([NOTE, TWIN, SPLIT], ["twin:GOOG:GOOGL"])
    assert [(each.kind, each.severity, each.accepted) for each in found] == [
        ("split", "refused", False),
        ("calendar", "note", False),
        ("twin", "note", True),
    ]
    assert str(found[2]) == "GOOG and GOOGL move alike. (accepted: twin:GOOG:GOOGL)"


def test_a_refusal_names_source_finding_and_key() -> None:
    with pytest.raises(DataError, match=r"^candles:x is refused. AAPL opens at half. .*split:AAPL:2005-02-28"):
        refuse([NOTE, TWIN, SPLIT], "candles:x")
    refuse(judged([SPLIT], [SPLIT.key]), "candles:x")


def test_keys_with_spaces_are_a_list_in_the_file(tmp_path, monkeypatch) -> None:
    (tmp_path / "d.toml").write_text('[default]\naccept = ["split:BRK B:2020-01-02", "twin:A:B"]\n')
    monkeypatch.setenv("GATEKEEPER_DESKS", str(tmp_path / "d.toml"))
    monkeypatch.setenv("GATEKEEPER_ACCEPT", "twin:A:C split:A:2020-01-02")
    assert load().accept == ("split:BRK B:2020-01-02", "twin:A:B")
    monkeypatch.delenv("GATEKEEPER_DESKS")
    assert load().accept == ("twin:A:C", "split:A:2020-01-02")


def test_only_so_many_are_told() -> None:
    """The first five findings, and how many more there are; as many as fit are told alone."""
    assert len(lines([NOTE] * 5)) == 5
    assert lines([NOTE, TWIN] * 4)[4:] == (
        "AAPL fits XNYS.",
        "and 3 more findings about the data: `gatekeeper data` lists all",
    )
