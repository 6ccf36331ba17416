"""Command line as operators type it: output, exit codes, and never a traceback."""

import json
from pathlib import Path

import pytest
from command_shell import Shell
from model_files import constant_model, foreign_model, placeholder_model

from gatekeeper.errors import Unavailable
from gatekeeper.registry import Registry

COMMANDS = ["list", "register", "promote", "active", "migrate-naming", "rollback", "hold"]
COMMANDS += ["release", "history", "doctor", "gc", "copy", "explain", "score", "run", "config", "db"]
COMMANDS += ["approvals", "explain-reason"]


@pytest.mark.parametrize("command", ["list", "active", "history", "rollback", "run --as-of 2018-11-05", "explain 1"])
def test_without_a_registry_each_command_names_the_way_out(bare: Shell, command: str) -> None:
    code, out, err = bare(*command.split())
    assert (code, out) == (1, "")
    assert "gatekeeper db upgrade" in err
    assert list(bare.folder.iterdir()) == []


@pytest.mark.parametrize(("command", "asked"), [("rollback --json", "primary"), ("register --promote -p", "model")])
def test_a_registry_that_is_gone_after_the_commit(
    shell: Shell, command: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told that nothing has changed repeats a rollback, and is two models back."""
    paths = [shell.file(f"new{number}.onnx", constant_model(number / 10)) for number in (3, 4, 5)]
    for path in paths[:2]:
        assert shell("register", "-p", path, "--promote")[0] == 0

    def gone(*_: object) -> None:
        raise Unavailable("The registry can't be used now, so nothing has changed. Try again later.")

    monkeypatch.setattr(Registry, asked, gone)
    code, out, err = shell(*command.split(), *(paths[2:] if command.endswith("-p") else []))
    assert (code, out) == (1, "")
    assert "(generation 3), was gatekeeper_primary2. This is committed" in err
    assert "nothing has changed" not in err
    assert len(shell.json("history")) == 3  # type: ignore[arg-type]  # a list


def test_from_a_file_to_the_active_model_and_back(shell: Shell) -> None:
    """Case 8: no ids to remember; twice goes one further back, and then there is nowhere to go."""
    for number, score in enumerate((0.2, 0.6, 0.7), start=1):
        path = shell.file(f"new{number}.onnx", constant_model(score))
        assert shell("register", "-p", path, "-n", f"number {number}", "--promote")[0] == 0
        assert Path(path).read_bytes() == constant_model(score)
    assert shell("active")[1].split()[:4] == ["gatekeeper_primary3", "id", "3", "models/gatekeeper_primary3.onnx"]
    assert shell("rollback")[0] == 0
    assert shell("active")[1].startswith("gatekeeper_primary2 ")
    assert shell("rollback")[0] == 0
    assert shell("active")[1].startswith("gatekeeper_primary1 ")
    code, _, err = shell("rollback")
    assert (code, "no earlier primary" in err) == (1, True)
    rows = shell.json("history")
    assert isinstance(rows, list)
    assert [(row["kind"], row["from_id"], row["to_id"]) for row in rows] == [
        ("rollback", 2, 1),
        ("rollback", 3, 2),
        ("manual", 2, 3),
        ("manual", 1, 2),
        ("manual", None, 1),
    ]


def test_list_prints_an_array_newest_first(shell: Shell) -> None:
    assert shell.json("list") == []
    for score in (0.2, 0.6):
        shell("register", "-p", shell.file("new.onnx", constant_model(score)))
    shell("promote", "-i", "1")
    rows = shell.json("list")
    assert isinstance(rows, list)
    assert [(row["id"], row["version"], row["active"]) for row in rows] == [
        (2, "gatekeeper_2", False),
        (1, "gatekeeper_primary1", True),
    ]


def test_active_exits_1_where_none_is(shell: Shell) -> None:
    code, out, err = shell("active")
    assert (code, out) == (1, "")
    assert "gatekeeper promote -i ID" in err
    code, out, _ = shell("active", "--json")
    assert (code, json.loads(out)) == (1, None)


def test_register_says_what_it_recognised(shell: Shell) -> None:
    path = shell.file("theirs.onnx", foreign_model("zipmap"))
    code, out, _ = shell("register", "-p", path, "--trained-to", "2018-06-01", "--threshold", "0.6")
    assert code == 0
    assert "output_probability" in out
    (row,) = shell.json("list")  # type: ignore[misc]  # an array of one
    assert (row["threshold"], row["trained_to"]) == (0.6, "2018-06-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"<html>no model</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "LFS"),
        (placeholder_model(), "input"),
        (b"\x00" * 40, "ONNX"),
    ],
)
def test_what_is_no_model_is_refused_and_leaves_nothing(shell: Shell, content: bytes, says: str) -> None:
    """Case 25 and issue 2's bad input."""
    before = sorted(str(path) for path in (shell.folder / "models").rglob("*"))
    code, _, err = shell("register", "-p", shell.file("bad.onnx", content), "--promote")
    assert code == 1
    assert says.lower() in err.lower()
    assert shell.json("list") == []
    assert sorted(str(path) for path in (shell.folder / "models").rglob("*")) == before


def test_unknown_ids_are_named(shell: Shell) -> None:
    for command in ("promote -i 7", "explain 7", "release --quarantine 7 --reason x", "migrate-naming --primary 7"):
        code, _, err = shell(*command.split())
        assert code == 1, command
        assert "7" in err


def test_a_hold_stands_is_said_and_gone_through_by_hand(shell: Shell) -> None:
    shell("register", "-p", shell.file("new.onnx", constant_model(0.4)))
    assert shell("hold", "--reason", "audit week")[0] == 0
    code, out, err = shell("promote", "-i", "1")
    assert code == 0
    assert "is in force" in err
    assert "audit week" in err
    assert "gatekeeper_primary1" in out
    assert shell("release")[1] == "Released hold 1. No hold is in force: weekly runs may promote.\n"
    assert shell("release")[1].startswith("There was no hold. No hold is in force")


def test_holds_stack_and_are_released_one_by_one_or_together(shell: Shell) -> None:
    """Case 68."""
    shell("register", "-p", shell.file("new.onnx", constant_model(0.4)))
    for reason in ("audit", "holidays", "feed"):
        code, out, _ = shell("hold", "--reason", reason, "--actor", "ann")
        assert code == 0
    assert out.startswith("Promotions are held by 3 holds: hold 1 by ann (audit); hold 2 by ann (holidays); hold 3 by")
    assert out.endswith("Release hold 3 with `gatekeeper release 3`.\n")
    code, _, err = shell("release")
    assert code == 1
    assert "3 holds are in force: hold 1 by ann (audit); hold 2 by ann (holidays); hold 3 by ann (feed)." in err
    assert shell("release", "9")[0] == 1
    done = shell.json("release", "2", "--reason", "back")
    assert (done["released"], done["ids"]) == (True, [2])
    assert done["effect"].startswith("Released hold 2. Promotions are held by 2 holds: hold 1 by ann (audit); hold 3")
    for wrong in ("--all", "1 --all --reason r", "1 --quarantine 1", "--all --quarantine 1"):
        assert shell("release", *wrong.split())[0] == 2, wrong
    assert shell("release", "--all", "--reason", "done")[1] == (
        "Released holds 1, 3. No hold is in force: weekly runs may promote.\n"
    )
    assert shell("release", "1")[1].startswith("Hold 1 was not in force. No hold is in force")
    assert shell("promote", "-i", "1")[2] == ""


def test_what_another_writer_promoted_is_not_said_to_be_ours(shell: Shell) -> None:
    shell("register", "-p", shell.file("new.onnx", constant_model(0.4)))
    with Registry.open(f"sqlite:///{shell.folder / 'registry.db'}", models=shell.folder / "models") as registry:
        registry.promote(1, actor="bob", reason="first")
    done = shell.json("promote", "-i", "1")
    assert (done["changed"], done["actor"]) == (False, "bob")
    assert done["effect"] == (
        "Nothing was promoted: model 1 is the primary already. The primary is gatekeeper_primary1 (generation 1)."
    )


def test_a_quarantine_is_refused_with_the_command_that_lifts_it(shell: Shell) -> None:
    for score in (0.2, 0.6):
        shell("register", "-p", shell.file("new.onnx", constant_model(score)), "--promote")
    shell("rollback", "--reason", "it lost money")
    code, _, err = shell("promote", "-i", "2")
    assert code == 1
    assert "gatekeeper release --quarantine 2 --reason" in err
    assert shell("release", "--quarantine", "2", "--reason", "it was the feed")[0] == 0
    assert shell("promote", "-i", "2")[0] == 0


def test_scores_by_name_and_from_a_file(shell: Shell) -> None:
    shell("register", "-p", shell.file("new.onnx", constant_model(0.6)), "--promote")
    idea = {"rsi14": 41, "adx14": 22, "fastMASlowDelta": -0.02, "bbWidth": 0.05, "avgSent": 0, "avgOB": 0, "action": 1}
    code, out, _ = shell("score", *(f"{name}={value}" for name, value in idea.items()))
    assert (code, out.split()[:2]) == (0, ["approve", "0.600000"])
    path = shell.file("ideas.json", json.dumps([idea, idea]).encode())
    answers = shell.json("score", "--file", path)
    assert isinstance(answers, list)
    assert [(a["decision"], round(a["score"], 6), a["degraded"]) for a in answers] == [("approve", 0.6, False)] * 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rsi14=41"], "adx14"),
        (["rsi14=nan", "adx14=1", "fastMASlowDelta=0", "bbWidth=0", "avgSent=0", "avgOB=0", "action=1"], "rsi14"),
        (["rsi14=x", "adx14=1", "fastMASlowDelta=0", "bbWidth=0", "avgSent=0", "avgOB=0", "action=1"], "rsi14='x'"),
        ([], "(none)"),
    ],
)
def test_what_is_no_idea_is_refused(shell: Shell, words: list[str], says: str) -> None:
    """Case 27."""
    shell("register", "-p", shell.file("new.onnx", constant_model(0.6)), "--promote")
    code, out, err = shell("score", *words)
    assert (code, out) == (1, "")
    assert says in err


def test_a_file_of_ideas_that_is_no_json(shell: Shell) -> None:
    huge = b'{"rsi14": 1' + 400 * b"0" + b"}"
    for content in (b"rsi14: 41", b"\xff\xfe{}", b'[{"rsi14": "x"}]', huge):
        code, _, err = shell("score", "--file", shell.file("ideas.json", content))
        assert code == 1
        assert "ideas.json is not valid JSON" in err or "Idea 0" in err


def test_config_masks_passwords(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_DB", "postgresql+psycopg://bot:hunter2@db/registry")
    rows = {row["name"]: row for row in shell.json("config")}  # type: ignore[attr-defined]  # an array of objects
    assert rows["GATEKEEPER_DB"]["value"] == "postgresql+psycopg://bot:***@db/registry"
    assert rows["GATEKEEPER_DB"]["source"] == "environment"
    assert (rows["GATEKEEPER_THRESHOLD"]["value"], rows["GATEKEEPER_THRESHOLD"]["source"]) == ("0.55", "default")
    assert "hunter2" not in shell("config")[1]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("THRESHOLD", "1.5", "less than 1"), ("POLICY", "bold", "proven"), ("HOLDOUT_DAYS", "x", "integer")],
)
def test_a_bad_setting_is_named(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"GATEKEEPER_{name}", value)
    code, _, err = shell("config")
    assert code == 1
    assert f"GATEKEEPER_{name}='{value}'" in err
    assert says in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("run --as-of 2018-13-01", "not an ISO 8601 date"),
        ("run --as-of 2100-01-04", "future"),
        ("run --as-of 1500-01-01", "outside 1970 to 2200"),
        ("run --as-of 0001-01-01T00:00+05:00", "not an ISO 8601 date"),
        ("run --as-of 2018-11-05 --param as_of=2018-12-24", "a run takes its as-of and data, recipe"),
        ("run --as-of 2018-11-05 --param margin=inf", "finite number"),
        ("run --as-of 2019-06-03", "2018-12-31"),
        ("run --as-of 2001-01-01", "before"),
        ("run --as-of 2018-11-05 --param recipe=deep", "hist_gradient_boosting, logistic"),
        ("run --as-of 2018-11-05 --param holdout=3", "unknown parameter holdout"),
        ("run --as-of 2018-11-05 --param holdout_days=0", "GATEKEEPER_HOLDOUT_DAYS"),
        ("run --as-of 2006-11-06", "GATEKEEPER_MIN_IDEAS"),
        ("run --as-of 2018-11-05 --param data=candles:nowhere.csv", "nowhere.csv"),
        ("run --as-of 2018-11-05 --param data=tape:x", "tape"),
    ],
)
def test_a_run_that_can_not_be_says_why_and_leaves_nothing(shell: Shell, words: str, says: str) -> None:
    code, out, err = shell(*words.split())
    assert (code, out) == (1, "")
    assert says in err
    assert shell.json("list") == []
    assert not (shell.folder / "work").exists()


def test_words_that_are_off_exit_with_2(shell: Shell) -> None:
    assert shell("promote")[0] == 2
    assert shell("frobnicate")[0] == 2
    assert shell("hold")[0] == 2


def test_migrate_naming_shows_its_plan_and_does_it_once(shell: Shell) -> None:
    from sqlalchemy import create_engine, text

    (shell.folder / "models" / "gatekeeper_v1.onnx").write_bytes(constant_model(0.4))
    with create_engine(f"sqlite:///{shell.folder / 'registry.db'}").begin() as connection:
        connection.execute(
            text('INSERT INTO "RLModel" (id, version, path) VALUES (1, :v, :p)'),
            {"v": "gatekeeper_v1", "p": "/srv/old/models/gatekeeper_v1.onnx"},
        )
    code, out, _ = shell("migrate-naming", "--dry-run")
    assert code == 0
    assert "gatekeeper_v1" in out
    assert "nothing was changed" in out
    assert shell.json("list")[0]["version"] == "gatekeeper_v1"  # type: ignore[index]  # an array
    assert shell("migrate-naming", "--primary", "1")[0] == 0
    assert shell("active")[1].startswith("gatekeeper_primary1 ")
    assert "Nothing to do" in shell("migrate-naming")[1]


def test_help_names_every_command(shell: Shell) -> None:
    code, out, _ = shell("--help")
    assert code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in out
        assert shell(name, "--help")[0] == 0


def test_questions_and_answers_are_listed(shell: Shell) -> None:
    """Newest first; an open question has no answer yet."""
    assert shell("approvals")[1] == "Nobody was asked yet.\n"
    shell("register", "-p", shell.file("new.onnx", constant_model(0.5)))
    with Registry.open(f"sqlite:///{shell.folder / 'registry.db'}", models=shell.folder / "models") as registry:
        about = {"run_key": "key", "model_id": 1, "evaluation_id": None, "asked_by": "bob"}
        for question in ("dag/one", "dag/two"):
            registry.approvals.ask(**about, question=question)
        registry.approvals.answer("dag/one", answer="rejected", by="ann")
    rows = shell.json("approvals")
    assert [(row["question"], row["asked_by"], row["answer"], row["answered_by"]) for row in rows] == [
        ("dag/two", "bob", None, None),
        ("dag/one", "bob", "rejected", "ann"),
    ]
    shown = shell("approvals")[1]
    assert "dag/two" in shown
    assert "open" in shown


@pytest.mark.parametrize("until", ["9999-12-31T23:59-12:00", "0001-01-01T00:00+14:00", "2027-02-29"])
def test_a_hold_until_a_time_that_there_is_not(shell: Shell, until: str) -> None:
    code, _, err = shell("hold", "--reason", "r", "--until", until)
    assert (code, f"{until!r} is not an ISO 8601 date" in err) == (2, True)
