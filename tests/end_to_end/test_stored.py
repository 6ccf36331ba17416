"""What an older Gatekeeper stored is read, shown, proven and upgraded by this one (tests/stored/README.md)."""

import copy
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_shell import Shell, bare
from evaluation_documents import as_format_1
from weekly_house import House

from gatekeeper import config
from gatekeeper.documents import check, evaluation, receipt, rehearsal
from gatekeeper.errors import DataError
from gatekeeper.judgement.report.recheck import differences, judged_again
from gatekeeper.registry import Registry
from gatekeeper.registry.views import proof
from gatekeeper.rehearsal import report as rehearsal_report
from gatekeeper.serving import Gatekeeper

__all__ = ["bare"]

STORED = Path(__file__).parent.parent / "stored"
DIGESTS = {
    1: "2f02e65a99cb1538992047e4fea82f2cd3de896872242ad142d6221e7ec8501b",
    2: "11ac25ddcf29b5f9fcd5a7a6f999b7179508f515d7ff33a0a2643c4d76b258d7",
    4: "5efd6317e58ec178ef66041f60db1c4cc473400a6558508d933591e340eba232",
    5: "a15f53695732c552bc845e34a58b48b3c2f8f1512e4829f34f495ac16c507780",
}
"""As the older Gatekeeper printed them when it wrote the receipts."""

WORDS = frozenset({"message", "text"})
"""Keys whose texts may be put better; numbers may not change."""

REFUSED = 1
CHAMPIONLESS = "it has trades of champion, but no such scorecard"  # evaluation 1 had nothing to compare with


@pytest.fixture
def kept(bare: Shell) -> Shell:
    """A shell where the stored registry lies, upgraded."""
    shutil.copytree(STORED / "models", bare.folder / "models")
    with closing(sqlite3.connect(bare.folder / "registry.db")) as database:
        database.executescript((STORED / "registry.sql").read_text("utf-8"))
    code, _, err = bare("db", "upgrade")
    assert code == 0, err
    return bare


def texts(kept: Shell, table: str) -> list[str]:
    """The documents of a table as they are stored, the oldest first."""
    with closing(sqlite3.connect(kept.folder / "registry.db")) as database:
        return [text for (text,) in database.execute(f"SELECT document FROM {table} ORDER BY id")]


def opened(kept: Shell) -> Registry:
    return Registry.open(f"sqlite:///{kept.folder / 'registry.db'}", models=kept.folder / "models")


def test_each_document_is_written_as_it_was_read(kept: Shell) -> None:
    """In the order of its keys, but that rules and policy are one now, which holds all that these two held."""
    evaluations, checks = texts(kept, "gatekeeper_evaluation"), texts(kept, "gatekeeper_check")
    assert (len(evaluations), len(checks)) == (4, 1)
    for text in evaluations:
        told, again = json.loads(text), json.loads(evaluation.written(evaluation.read(text)))
        assert as_format_1(again) == told
        assert [name for name in again if name != "rules"] == [name for name in told if name not in ("policy", "rules")]
        assert evaluation.written(evaluation.read(json.dumps(again))) == json.dumps(again)
    (text,) = checks
    told, again = json.loads(text), json.loads(check.written(check.read(text)))
    assert check_of_format_1(copy.deepcopy(again)) == told
    assert check.written(check.read(json.dumps(again))) == json.dumps(again)


def check_of_format_1(document: dict[str, Any]) -> dict[str, Any]:
    """As it was written then; what is new is null, but for the measured gain, which is what was predicted."""
    gain, breaker = document["gain"], document["breaker"]
    assert (gain.pop("measured"), gain.pop("measured_error")) == (gain["predicted"], gain["predicted_error"])
    new = [gain.pop("least"), *(document.pop(name) for name in ("shadow", "data_warnings"))]
    new += [*(breaker.pop(name) for name in ("horizon", "compared", "alike"))]
    new += [shift.pop("independent") for shift in document["drift"]["shifts"]]
    assert new == [None] * len(new)
    assert document["format"] == 2
    return {**document, "format": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('"format": 1', '"format": 3', 1), "format 3, this version reads 1 and 2"),
        (lambda text: text.replace('"gain": {', '"win": {', 1), "missing required field `gain`"),
        (lambda text: text[:-100], "it was changed or cut off"),
    ],
)
def test_a_damaged_check_is_refused_with_what_is_wrong(kept: Shell, change: Any, said: str) -> None:
    (text,) = texts(kept, "gatekeeper_check")
    assert change(text) != text
    with pytest.raises(DataError, match=said):
        check.read(change(text))


def test_the_documents_say_what_they_said(kept: Shell) -> None:
    """By the JSON itself: who was judged, compared and deployed, and with which figures."""
    with opened(kept) as registry:
        found = {one.id: one for one in registry.evaluations()}
        (seen,) = registry.checks.newest()
        primary = registry.primary()
    assert primary is not None and primary.id == 5
    assert {number: (one.challenger, one.champion, one.deploys_id, one.faced_id) for number, one in found.items()} == {
        1: (1, None, 1, None), 2: (2, 1, 2, 1), 3: (3, 1, 4, 1), 4: (5, 3, 5, 4),
    }  # fmt: skip
    for number, text in enumerate(texts(kept, "gatekeeper_evaluation"), start=1):
        told, document = json.loads(text), found[number].document
        assert (document.verdict.answer, document.verdict.gain) == (told["verdict"]["answer"], told["verdict"]["gain"])
        assert document.scorecards.challenger.daily == told["scorecards"]["challenger"]["daily"]
    league = found[4].document.league
    assert league is not None and [row.model_id for row in league.contenders] == [5, 2]
    assert (seen.document.primary.model_id, seen.document.breaker.tripped) == (5, False)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_each_verdict_follows_from_its_document_again(kept: Shell, number: int) -> None:
    with opened(kept) as registry:
        document = registry.evaluation(number).document
    assert differences(document) == []
    again = judged_again(document)[0]
    assert (again.answer, again.gain, again.bound) == (
        document.verdict.answer,
        document.verdict.gain,
        document.verdict.bound,
    )


@pytest.mark.parametrize(("number", "model"), [(1, 1), (2, 2), (3, 4), (4, 5)])
def test_report_explanation_and_card_show_it(kept: Shell, number: int, model: int) -> None:
    told = json.loads(texts(kept, "gatekeeper_evaluation")[number - 1])
    card, verdict = told["scorecards"]["challenger"], told["verdict"]
    code, _, err = kept("report", str(number), "-o", "report.html")
    assert code == 0, err
    page = (kept.folder / "report.html").read_text("utf-8")
    assert f"{card['sharpe']:.3f}".replace("-", "\N{MINUS SIGN}") in page
    assert verdict["message"].split(":")[0] in page
    code, said, err = kept("explain", str(model), "--evaluation", str(number))
    assert code == 0, err
    assert verdict["message"] in said
    assert [gate["name"] for gate in verdict["gates"] if f" {gate['name']} " not in said] == []
    explained = kept.json("explain", str(model), "--evaluation", str(number))
    assert isinstance(explained, dict)
    assert {name: explained[name] for name in told} == told
    facts = kept.json("card", str(model))
    assert isinstance(facts, dict)
    (judged,) = (one for one in facts["evaluations"] if one["id"] == number)
    assert (judged["sharpe"], judged["gain"], judged["kept"]) == (card["sharpe"], verdict["gain"], card["kept_trades"])
    assert f"{card['kept_trades']} of {card['ideas']}" in kept("card", str(model))[1]


def test_a_document_of_format_2_is_shown_as_well(kept: Shell) -> None:
    """In the place of evaluation 2's, since neither command looks at more than the document."""
    told = json.loads((STORED / "receipt_of_format_2.json").read_bytes())["evaluation"]["document"]
    put(kept, 2, json.dumps(told))
    code, said, err = kept("explain", "2", "--evaluation", "2")
    assert code == 0, err
    assert told["verdict"]["message"] in said
    assert [gate["text"] for gate in told["verdict"]["gates"] if gate["text"] not in said] == []
    explained = kept.json("explain", "2", "--evaluation", "2")
    assert isinstance(explained, dict)
    assert {name: explained[name] for name in told} == told
    assert kept("report", "2", "-o", "report.html")[0] == 0
    assert told["verdict"]["message"] in (kept.folder / "report.html").read_text("utf-8")


def test_nothing_is_wrong_with_the_registry(kept: Shell) -> None:
    code, said, err = kept("doctor")
    assert (code, err) == (0, ""), said
    assert [row[0] for row in history(kept)] == ["weekly", "weekly", "bootstrap"]


def history(kept: Shell) -> list[tuple[str, int]]:
    with opened(kept) as registry:
        return [(one.kind, one.to_id) for one in registry.promotions()]


def test_its_primary_scores_as_it_did_for_the_server(kept: Shell) -> None:
    with closing(sqlite3.connect(kept.folder / "registry.db")) as database:
        rows = database.execute('SELECT "featureVec", "gateScore" FROM "RLDataset"').fetchall()
    assert len(rows) == 2
    with opened(kept) as registry:
        scores = Gatekeeper(registry).score([json.loads(features) for features, _ in rows])
    assert [float(one) for one in scores.values] == pytest.approx([score for _, score in rows], abs=1e-7)


@pytest.mark.parametrize("model", DIGESTS)
def test_its_receipts_hold_and_are_made_again(kept: Shell, model: int) -> None:
    stored = STORED / f"receipt_{model}.json"
    (file,) = (path for path in (STORED / "models").glob(f"gatekeeper_*{model}.onnx"))
    code, said, err = kept("verify", str(stored), "--digest", DIGESTS[model], "--model", str(file))
    assert (code, err) == (0, ""), said
    assert f"receipt_{model}.json holds: gatekeeper_" in said
    told = proof.read(stored.read_bytes())
    assert told is not None
    assert receipt.as_hashed(told) == json.loads(stored.read_bytes())
    assert kept("receipt", str(model), "-o", "again.json")[0] == 0
    assert "again.json is consistent, unanchored: " in kept("verify", "again.json")[1]
    again = json.loads((kept.folder / "again.json").read_text())
    same = ("evaluation", "history", "twin")
    assert {name: again.get(name) for name in same} == {
        name: json.loads(stored.read_bytes()).get(name) for name in same
    }


def test_its_rehearsal_is_read_and_shown() -> None:
    told = json.loads((STORED / "rehearsal.json").read_text("utf-8"))
    del told["report"]  # where the page was written
    document = rehearsal.read(json.dumps(told))
    read = rehearsal.as_object(document)
    (holdout,) = read["holdouts"].values()
    (stored,) = told["holdouts"].values()
    for name, policy in stored["policies"].items():
        right = sum(reign["made"] - reign["before"] for reign in policy["reigns"])
        tally = holdout["policies"][name]["tally"]
        assert tally["net"] == pytest.approx(right, abs=1e-15)
        assert tally["won"] + tally["tied"] + tally["lost"] == policy["promotions"]
        assert tally["lost"] == policy.pop("false_promotions")
        assert tally["given_up"] == pytest.approx(policy.pop("false_promotions_cost"), abs=1e-15)
    assert (read["format"], told.pop("format")) == (2, 1)
    assert below(told, read)
    page = rehearsal_report.render(document)
    assert "better, refit" in page
    assert "Promotions of each policy" in page
    assert "not separable" not in page  # nobody knows, without errors


def below(stored: object, read: object) -> bool:
    """Whether all that was stored is still there."""
    if isinstance(stored, dict) and isinstance(read, dict):
        return all(name in read and below(value, read[name]) for name, value in stored.items())
    if isinstance(stored, list) and isinstance(read, list):
        return len(stored) == len(read) and all(map(below, stored, read))
    return stored == read


def test_the_same_inputs_give_the_same_document(tmp_path: Path) -> None:
    """The first of the four Mondays once more: keys in the same order, and every number as it was."""
    house = House(tmp_path, "demo:")
    chosen = {"recipe": "logistic", "policy": "better", "holdout_days": 150, "floor_trades": 10}
    house.settings = config.override(house.settings, chosen)
    made = house.week(datetime(2018, 10, 1, 2, tzinfo=UTC))
    with house.registry as registry:
        again = json.loads(registry.evaluation(made["evaluation_id"]).document_json)
    stored = json.loads(first_stored())
    assert evaluation.read(json.dumps(again)).rules.unknown == ()
    assert without_words(as_format_1(again)) == without_words(stored)
    told = as_format_1(again)
    for one in (told, stored):
        for name in ("rules", "policy"):
            one.pop(name, None)
    assert keys(told) == keys(stored)


def first_stored() -> str:
    """The text of evaluation 1, straight from the dump."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript((STORED / "registry.sql").read_text("utf-8"))
        (text,) = database.execute("SELECT document FROM gatekeeper_evaluation WHERE id = 1").fetchone()
    return str(text)


def put(kept: Shell, number: int, text: str | bytes) -> None:
    """Another text in the place of an evaluation's document."""
    with closing(sqlite3.connect(kept.folder / "registry.db")) as database, database:
        database.execute("UPDATE gatekeeper_evaluation SET document = ? WHERE id = ?", (text, number))


def edited(text: str, part: str, name: str, value: object) -> str:
    told = json.loads(text)
    told[part][name] = value
    return json.dumps(told)


def without_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_words(each) for name, each in value.items() if name not in WORDS}
    return [without_words(each) for each in value] if isinstance(value, list) else value


def keys(value: Any) -> Any:
    """The keys of every object, in order."""
    if isinstance(value, dict):
        return [(name, keys(each)) for name, each in value.items()]
    return [keys(each) for each in value] if isinstance(value, list) else None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-200], "it was changed or cut off"),
        (lambda text: text.replace('"format": 1', '"format": 4', 1), "format 4, this version reads 1, 2 and 3"),
        (lambda text: text.replace('"format": 1', '"format": 3', 1), "missing required field `edition`"),
        (lambda text: text.replace('"format": 1', '"format": 2', 1), "missing required field `policy`"),
        (lambda text: text.replace('"format": 1', '"format": true', 1), "format True, this version reads 1, 2 and 3"),
        (lambda text: edited(text, "rules", "risk_free", 0.01), "the risk-free rate is both 0.01 and 0.0"),
        (lambda text: edited(text, "policy", "tolerance", 0.5), "the tolerance is both 0.5 and None"),
        (lambda text: text.replace('"answer"', '"reply"', 1), "missing required field `answer`"),
        (lambda text: text.replace('"days": ', '"days": 0.5', 1), "Expected `int`, got `float`"),
        (lambda _: "[]", "Expected `object`, got `array`"),
        (lambda text: text.replace("0.55", "NaN", 1), "it was changed or cut off"),
        (lambda text: text.replace('"alpha": ', '"alpha": -', 1), "alpha -0.019"),
        (lambda text: text.replace('"periods_per_year": ', '"periods_per_year": -', 1), "periods_per_year -"),
        (lambda text: edited(text, "policy", "power", 1.0), "power 1.0 is not between 0 and 1"),
        (lambda text: edited(text, "rules", "periods_per_year", 0), "the periods of a year is both 0 and 252"),
        (lambda text: edited(text, "window", "start", "0001-01-01T00:00:00+14:00"), "lies outside 1900 to 2300"),
        (lambda text: edited(text, "data", "newest", "9999-12-31T23:59:59-14:00"), "lies outside 1900 to 2300"),
        (lambda text: edited(text, "window", "end", "2018-09-10T02:00:00"), "has no offset from UTC"),
        (lambda text: text.replace('"days": ["', '"days": ["some ', 1), "Invalid isoformat string: 'some 20"),
        (lambda text: edited(text, "trades", "champion", json.loads(text)["trades"]["challenger"]), CHAMPIONLESS),
    ],
)
def test_a_damaged_document_is_refused_with_what_is_wrong(kept: Shell, change: Any, said: str) -> None:
    text = texts(kept, "gatekeeper_evaluation")[0]
    assert change(text) != text
    put(kept, 1, change(text))
    for command in (("explain", "1"), ("report", "1"), ("receipt", "1")):
        code, _, err = kept(*command)
        assert code == REFUSED, err
        assert said in err
        assert "document of evaluation 1" in err
    assert not list(kept.folder.glob("receipt*"))
    assert kept("list")[0] == 0
    with pytest.raises(DataError, match="evaluation document"):
        evaluation.read(change(text))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (lambda text: text[:-200], "line 1 column"),
        (lambda _: "", "Expecting value: line 1 column 1"),
        (lambda _: "\0", "Expecting value: line 1 column 1"),
        (lambda text: text + "}", "Extra data"),
        (lambda text: text.replace("0.55", "NaN", 1), "NaN is not JSON"),
        (lambda text: text.replace("0.55", "-1e999", 1), "-1e999 is not finite"),
        (lambda text: text.replace("{", '{"more": ' + "[" * 100 + "]" * 100 + ", ", 1), "over 64 levels deep"),
        (lambda text: text.replace("{", '{"more": ' + "[" * 99_999 + "]" * 99_999 + ", ", 1), "recursion"),
        (lambda _: "[]", "Expected `object`, got `list`"),
    ],
)
def test_doctor_and_receipt_name_a_damaged_document(kept: Shell, text: Any, wrong: str) -> None:
    """Promotions rest on evaluations 1, 3 and 4: hashes of the history are taken over these documents."""
    stored = texts(kept, "gatekeeper_evaluation")[2]
    assert text(stored) != stored
    put(kept, 3, text(stored))
    code, out, err = kept("doctor", "--json")
    assert (code, err) == (1, "")
    (finding,) = json.loads(out)["findings"]
    assert (finding["kind"], finding["model_id"]) == ("broken", None)
    assert finding["text"].startswith("The document of evaluation 3 is damaged (")
    assert wrong in finding["text"]
    assert finding["text"].endswith("; restore its row from a backup.")
    for model in (4, 5):  # that of the damaged evaluation, and one with it in its history
        code, _, err = kept("receipt", str(model))
        assert code == REFUSED
        assert "document of evaluation 3" in err
    assert not list(kept.folder.glob("receipt*"))
    put(kept, 3, stored)
    assert kept("doctor")[0] == 0


def test_a_champions_figures_without_its_scorecard_are_refused(kept: Shell) -> None:
    """As they stand in evaluation 2, which compared two models."""
    text = texts(kept, "gatekeeper_evaluation")[1]
    assert "champion" in json.loads(text)["scores"]
    put(kept, 2, edited(text, "scorecards", "champion", None))
    for command in (("report", "2"), ("receipt", "2")):
        code, _, err = kept(*command)
        assert code == REFUSED, err
        assert "document of evaluation 2" in err
        assert "of champion, but no such scorecard" in err
