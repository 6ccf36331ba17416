"""An evaluation document of format 2, judged by edition 1, is read, explained, reported and proven as it was judged."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_shell import Shell, bare
from evaluation_documents import as_format_2

from gatekeeper.documents import evaluation
from gatekeeper.documents.receipt import serialized
from gatekeeper.judgement import render
from gatekeeper.judgement.report.recheck import differences, judged_again
from gatekeeper.registry.views import proof

__all__ = ["bare"]

STORED = Path(__file__).parent.parent / "stored" / "receipt_of_format_2.json"
DIGEST = "20c614b7256d935230a707a5b6e4833adccc96736d251f2cece33c46999db723"


@pytest.fixture
def receipt() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(STORED.read_bytes())
    return found


@pytest.fixture
def told(receipt: dict[str, Any]) -> dict[str, Any]:
    """The document as it was written."""
    found: dict[str, Any] = receipt["evaluation"]["document"]
    return found


def sealed(receipt: dict[str, Any]) -> bytes:
    """The receipt with its digest, by somebody who knows how it is made."""
    content = {name: value for name, value in receipt.items() if name != "digest"}
    return serialized({**content, "digest": proof.digest(content)})


def test_it_is_of_edition_1_and_holds_all_that_it_held(told: dict[str, Any]) -> None:
    document = evaluation.of_object(told)
    assert (told["format"], document.format, document.rules.edition) == (2, 3, 1)
    assert as_format_2(evaluation.as_object(document)) == told


def test_its_verdict_follows_by_the_rule_of_its_time(told: dict[str, Any]) -> None:
    """A rate of 3 % off all capital, and a bandwidth with units: the numbers of then, none recomputed by today's."""
    document = evaluation.of_object(told)
    assert differences(document) == []
    again = judged_again(document)[0]
    assert (again.gain, again.standard_error, again.bound, again.decided_by) == pytest.approx(
        (-1.0415634164379854, 0.5300311809393973, -2.13867592829591, "better"), abs=1e-12
    )


def test_it_verifies_and_reports(bare: Shell, told: dict[str, Any]) -> None:
    code, said, err = bare("verify", str(STORED), "--digest", DIGEST)
    assert (code, err) == (0, ""), said
    assert "receipt_of_format_2.json holds: gatekeeper_3, evaluation 3 with the verdict keep, recomputed" in said
    page = render(evaluation.of_object(told))
    assert "lower bound \N{MINUS SIGN}2.139" in page  # of the chart whose end is the window's
    assert told["verdict"]["message"] in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told["rules"].update(edition=1), "has a key evaluation.document.rules.edition"),
        (lambda told: told.update(format=3), "missing required field `z`"),
        (lambda told: told["scorecards"]["champion"].update(exposed=[0.1] * 89), "have `exposed`, by edition 1"),
        (lambda told: told["rules"]["policy"].update(risk_free=0.02), "the challenger's sharpe is"),
        (lambda told: told["verdict"].update(standard_error=0.5), "standard_error is 0.53"),
    ],
)
def test_a_change_is_found(receipt: dict[str, Any], change: Any, said: str) -> None:
    change(receipt["evaluation"]["document"])
    found = proof.faults(sealed(receipt))
    assert any(said in fault for fault in found), found


def test_an_older_judgement_is_not_passed_off_as_todays(receipt: dict[str, Any], told: dict[str, Any]) -> None:
    """Format 3 with edition 1 would be judged by the weaker rule."""
    receipt["evaluation"]["document"] = evaluation.as_object(evaluation.of_object(told))
    found = proof.faults(sealed(receipt))
    assert "its evaluation, of format 3, goes by edition 1 of the judgement: it was changed" in found
