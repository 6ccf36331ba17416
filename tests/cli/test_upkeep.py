"""Doctor, clean-up and copy as operators type them."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from evaluation_documents import WHOLE
from model_files import constant_model
from registry_site import MONDAY, Site

from gatekeeper.cli.main import gatekeeper
from gatekeeper.registry import upgrade


class Shell:
    """Runs commands on the registry of one folder."""

    def __init__(self, root: Path) -> None:
        self.site = Site(root)

    def __call__(self, *words: str, grace: int = 3600) -> Result:
        environment = {
            "GATEKEEPER_DB": self.site.url,
            "GATEKEEPER_MODELS": str(self.site.models),
            "GATEKEEPER_GRACE_SECONDS": str(grace),
        }
        return CliRunner().invoke(gatekeeper, list(words), env=environment, standalone_mode=False)

    def json(self, *words: str, grace: int = 3600) -> tuple[int, dict]:
        said = self(*words, "--json", grace=grace)
        assert said.exception is None
        return said.return_value or 0, json.loads(said.stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """2 is active, after 1."""
    shell = Shell(tmp_path)
    upgrade(shell.site.url, models=shell.site.models)
    for score in (0.3, 0.6):
        (tmp_path / "new.onnx").write_bytes(constant_model(score))
        assert shell("register", "-p", str(tmp_path / "new.onnx"), "-n", f"scores {score}", "--promote").exit_code == 0
    return shell


def test_the_doctor_says_what_is_off_and_exits_with_1_until_it_is_mended(shell: Shell) -> None:
    """Case 5."""
    code, said = shell.json("doctor")
    connection = said.pop("connection")
    assert (code, said) == (0, {"well": True, "findings": [], "repaired": [], "marked": []})
    lines = [f"{fact['name']}: {fact['value']}" for fact in connection]
    assert lines[0] == f"registry: {shell.site.database}"
    assert shell("doctor").stdout.splitlines() == [*lines, "All is well."]
    (shell.site.models / "gatekeeper_primary2.onnx").unlink()
    code, said = shell.json("doctor")
    assert (code, said["well"]) == (1, False)
    (finding,) = said["findings"]
    assert (finding["kind"], finding["model_id"], finding["name"], finding["repairable"]) == (
        "missing",
        2,
        "gatekeeper_primary2.onnx",
        True,
    )
    told = shell("doctor")
    assert (told.return_value, "model 2" in told.stdout) == (1, True)
    mended = shell("doctor", "--repair")
    assert mended.return_value == 0
    assert mended.stdout.splitlines()[-2].startswith("repaired  missing, model 2, gatekeeper_primary2.onnx: ")
    assert mended.stdout.endswith("All is well.\n")
    assert shell("doctor", "--repair").stdout.splitlines() == [*lines, "All is well."]


def test_what_takes_a_persons_choice_stays_and_exits_with_1(shell: Shell) -> None:
    for file in [*(shell.site.models / ".blobs").iterdir(), *shell.site.models.glob("*2.onnx")]:
        if file.read_bytes() == constant_model(0.6):
            file.unlink()
    code, said = shell.json("doctor", "--repair")
    assert code == 1
    assert [(one["kind"], one["model_id"], one["repairable"]) for one in said["findings"]] == [
        ("missing", 2, False)
    ] * 2
    assert all("backup" in one["text"] for one in said["findings"])


def test_tables_of_another_revision_exit_with_1_and_name_the_command(shell: Shell) -> None:
    shell.site.sql("UPDATE gatekeeper_alembic_version SET version_num = '0000'")
    code, said = shell.json("doctor", "--repair")
    assert code == 1
    assert ["gatekeeper db upgrade" in one["text"] for one in said["findings"]] == [True]


def test_a_clean_up_shows_its_plan_and_does_it(shell: Shell) -> None:
    """Case 6."""
    retired = {"gatekeeper_2.onnx", "gatekeeper_primary1.onnx"}
    before = shell.site.files()
    assert "waits" in shell("gc").stdout
    told = shell("gc", "--dry-run", grace=0).stdout
    assert ("would be removed" in told, "nothing was changed" in told) == (True, True)
    assert shell.site.files() == before
    _, done = shell.json("gc", grace=0)
    assert {each["name"] for each in done["removed"]} == retired == set(before) - set(shell.site.files())
    assert shell("gc", grace=0).stdout == "Nothing to remove.\n"


def test_a_copy_is_a_challenger_that_explains_itself(shell: Shell, tmp_path: Path) -> None:
    """From development to production, with the evidence; `explain` works there."""
    with shell.site.open() as registry:
        registry.record_evaluation(
            challenger=2,
            champion=1,
            generation=2,
            as_of=MONDAY,
            kind="weekly",
            verdict="promote",
            document=DOCUMENT,
            run_key="week",
            report="reports/2.html",
        )
    production = Shell(tmp_path / "production")
    production.site.root.mkdir()
    refused = shell("copy", "-i", "2", "--to", production.site.url)
    assert "gatekeeper db upgrade" in str(refused.exception)
    upgrade(production.site.url, models=production.site.models)
    code, said = shell.json("copy", "-i", "2", "--to", production.site.url)  # its models lie beside its database
    assert (code, said["is_new"], said["evaluations"]) == (0, True, [1])
    assert (said["model"]["id"], said["model"]["version"], said["model"]["active"]) == (1, "gatekeeper_1", False)
    assert (said["model"]["description"], said["model"]["threshold"]) == ("scores 0.6", 0.55)
    again = shell("copy", "-i", "2", "--to", production.site.url, "--models", str(production.site.models))
    assert "Copied before: model 2 to gatekeeper_1 (id 1)" in again.stdout
    shown = production("explain", "1").stdout
    assert DOCUMENT["verdict"]["message"] in shown
    assert "copied" in shown
    assert production("active").return_value == 1
    assert production("doctor").return_value == 0


def test_a_copy_to_a_server_needs_its_store_named(shell: Shell) -> None:
    said = shell("copy", "-i", "2", "--to", "postgresql+psycopg://host/registry")
    assert "--models" in str(said.exception)


def test_the_choice_between_two_claims_is_printed_and_can_be_overridden(tmp_path: Path) -> None:
    """Issue 3, point 5."""
    shell = Shell(tmp_path)
    names = ["gatekeeper_primary1", "gatekeeper_primary2", "gatekeeper_temp"]
    for score, name in zip((0.3, 0.6, 0.7), names, strict=True):
        shell.site.put(f"{name}.onnx", constant_model(score))
    shell.site.old_table(*[(number, name, f"C:\\bot\\{name}.onnx", None) for number, name in enumerate(names, 1)])
    told = shell("db", "upgrade").stdout
    assert ("1, 2" in told, "migrate-naming" in told) == (True, True)
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}_again")
    assert "primary: model 2 (of the rows [1, 2], 2 has the highest id" in shell("migrate-naming", "--dry-run").stdout
    assert "primary: model 2 (" in shell("migrate-naming").stdout
    again = Shell(tmp_path.parent / f"{tmp_path.name}_again")
    assert "primary: model 1 (model 1 was chosen by --primary)" in again("migrate-naming", "--primary", "1").stdout
    assert again("active").stdout.startswith("gatekeeper_primary1 ")
    assert again("doctor").return_value == 0


DOCUMENT = WHOLE | {
    "verdict": WHOLE["verdict"] | {"answer": "promote", "message": "promote: 0.31 better a year"},
    "window": WHOLE["window"] | {"as_of": MONDAY.isoformat()},
}
