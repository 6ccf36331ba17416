"""Receipt of a real evaluation: verified offline, and any change of it is found."""

import json
import random
from contextlib import suppress
from pathlib import Path

import pytest
from command_shell import Shell, bare
from weekly_house import House

from gatekeeper.documents.evaluation import of_object
from gatekeeper.documents.receipt import serialized
from gatekeeper.errors import DataError
from gatekeeper.judgement.report.recheck import differences, judged_again
from gatekeeper.registry.views import proof

pytestmark = pytest.mark.xdist_group("receipts")  # what its tests share is made once

CHANGES = 10_000

__all__ = ["bare"]


@pytest.fixture(scope="module")
def receipt(house: House) -> bytes:
    return house.registry.receipt(3)


def test_every_evaluation_leads_to_its_verdict_again(house: House) -> None:
    """From its document alone: no data, no model."""
    kinds = set()
    for evaluation in house.registry.evaluations():
        again, held = judged_again(evaluation.document)[0], evaluation.document.verdict
        assert again == held
        assert differences(evaluation.document) == []
        kinds.add(evaluation.kind)
    assert kinds == {"bootstrap", "weekly"}


@pytest.mark.parametrize(
    ("role", "what"), [("challenger", "sharpe"), ("champion", "total_return"), ("ungated", "max_drawdown")]
)
def test_a_figure_that_its_days_do_not_give_is_told(house: House, role: str, what: str) -> None:
    document = json.loads(house.registry.evaluations(3)[0].document_json)
    document["scorecards"][role][what] += 1e-6
    assert any(f"the {role}'s {what} is" in said for said in differences(of_object(document)))


def test_it_holds_and_says_so_with_nothing_else_at_hand(receipt: bytes, bare: Shell, house: House) -> None:
    place = bare.file("receipt.json", receipt)
    code, out, _ = bare("verify", place)
    assert code == 0
    assert "in an unbroken chain" in out
    digest = json.loads(receipt)["digest"]
    model, _ = house.files_of(3)
    assert bare("verify", place, "--digest", digest, "--model", str(model))[0] == 0
    other, _ = house.files_of(1)
    code, _, err = bare("verify", place, "--digest", "0" * 64, "--model", str(other))
    assert code == 1
    assert "it was rewritten" in err and "the receipt's model has" in err


def test_every_single_change_is_found(receipt: bytes) -> None:
    """Any byte made another, removed or put in, anywhere; 10,000 of them."""
    chance = random.Random(7)
    for _ in range(CHANGES):
        at, kind = chance.randrange(len(receipt)), chance.randrange(3)
        new = bytes([chance.choice([byte for byte in range(256) if byte != receipt[at]])])
        changed = receipt[:at] + (new if kind != 1 else b"") + receipt[at + (kind != 2) :]
        assert changed != receipt
        with suppress(DataError):  # no receipt any more
            assert proof.faults(changed), (at, kind, new)


def resealed(receipt: bytes, change) -> bytes:
    """As one does who knows how the digest is made."""
    read = json.loads(receipt)
    change(read)
    return serialized({**read, "digest": proof.digest(read)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["history"][0].update(reason="another"), "promotion 1 of the history"),
        (lambda r: r["history"].pop(0), "promotion 2 of the history"),
        (lambda r: r["model"].update(sha256="0" * 64), "other bytes than its model's"),
        (lambda r: r["evaluation"].update(verdict="promote" if r["evaluation"]["verdict"] != "promote" else "keep"),
         "differs from that of its document"),
        (lambda r: r["evaluation"]["document"]["verdict"].update(gain=9.0), "gain is"),
        (lambda r: [days.append(0.5) for name, days in r["evaluation"]["document"]["scorecards"]["challenger"].items()
                    if name in ("daily", "exposed")], "total_return"),
        (lambda r: r["evaluation"]["document"]["scorecards"]["challenger"]["daily"].append(0.5), "against exposure in"),
        (lambda r: r["evaluation"]["document"]["rules"]["policy"].update(z=1.645), "z is"),
        (lambda r: r["evaluation"].pop("document"), "its content is not that of a receipt"),
        (lambda r: r["history"][0].pop("chain"), "its content is not that of a receipt"),
        # Times their count, these are beyond all numbers: infinity is close to nothing.
        (lambda r: r["evaluation"]["document"]["trades"]["challenger"]["vetoed"].update(mean=1e308), "the sum of t"),
        (lambda r: r["evaluation"]["document"]["details"]["slices"]["month"][0]["kept"].update(mean=1e308), "the sum"),
        (lambda r: r["evaluation"]["document"]["rules"].update(threshold=1e308), "rules' threshold"),
        (lambda r: r["evaluation"]["document"]["rules"]["sizing"].update(largest=1e308), "rules' sizing"),
        (lambda r: r["evaluation"]["document"]["rules"]["sizing"].update(most_open=-1), "rules' most positions"),
        (lambda r: r["evaluation"]["document"]["rules"]["rates"].update(slippage=-1.0), "rules' cost rates"),
        (lambda r: r["evaluation"]["document"]["rules"]["rates"].update(spread=1e308), "rules' cost rates"),
        (lambda r: r["evaluation"]["document"]["rules"]["replay"].update(time_stop_bars=0), "rules' replay"),
        (lambda r: r["evaluation"]["document"]["rules"]["reading"].update(max_hold=0), "rules' longest hold"),
    ],
)  # fmt: skip
def test_a_change_with_a_new_digest_is_found_where_it_bears_on_the_proof(receipt: bytes, change, said: str) -> None:
    assert any(said in fault for fault in proof.faults(resealed(receipt, change)))


def test_evidence_of_a_promotion_can_not_be_swapped(house: House) -> None:
    """The history binds the evaluation: another document with its own right verdict is not the one that promoted."""
    promoted = house.registry.receipt(1)
    assert proof.faults(promoted) == []

    def swap(read: dict) -> None:
        read["evaluation"]["document"]["data"]["fingerprint"] = 64 * "0"

    assert proof.faults(resealed(promoted, swap)) == ["promotion 1 rests on other evidence than this evaluation"]


def test_a_model_without_an_evaluation_has_a_receipt_too(house: House, tmp_path: Path) -> None:
    from model_files import constant_model

    added = house.registry.register(constant_model(0.7), note="by hand")
    content = house.registry.receipt(added.id)
    assert json.loads(content)["evaluation"] is None
    assert proof.faults(content) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"format": 9, "made_by": 1}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_receipt_is_refused(bare: Shell, content: bytes) -> None:
    code, out, err = bare("verify", bare.file("x.json", content))
    assert (code, out) == (1, "")
    assert "not a receipt" in err


def test_as_an_operator_types_it(bare: Shell, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bare.folder)
    monkeypatch.setenv("GATEKEEPER_DB", house.settings.db.reveal())
    monkeypatch.setenv("GATEKEEPER_MODELS", house.settings.models.reveal())
    said = bare.json("receipt", "2")
    assert (bare.folder / "receipt_2.json").exists()
    assert bare.json("verify", "receipt_2.json") == {
        "file": "receipt_2.json", "digest": said["digest"], "state": "consistent, unanchored", "signed_by": None,
        "faults": [],
    }  # fmt: skip
    assert bare.json("verify", "receipt_2.json", "--digest", said["digest"])["state"] == "holds"
    assert "There is no model 99" in bare("receipt", "99")[2]
    assert "Model 1 has no evaluation 3" in bare("receipt", "1", "--evaluation", "3")[2]
