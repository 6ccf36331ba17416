"""Reasons: each slug that any code gives is in the one table, which the command and the page show."""

import ast
import importlib
import pkgutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import gatekeeper as package
from gatekeeper import errors, reasons
from gatekeeper.cli.main import gatekeeper, main
from gatekeeper.errors import ConfigError, GatekeeperError, ModelRefused, slug, with_reason
from gatekeeper.serving.http.problems import Problem

HOUSE = Path(__file__).parents[1]
PAGE = HOUSE / "docs" / "how-to" / "troubleshoot.md"
PLACE = {"ModelRefused": 0, "Problem": 1}
"""Where the slug stands among the arguments."""


def given() -> set[str]:
    """Every slug that the code writes down as a word, where it refuses a model or a request."""
    found = set()
    for path in (HOUSE / "gatekeeper").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in PLACE:
                continue
            place = node.args[PLACE[node.func.id]]
            for word in () if isinstance(place, ast.Call) else ast.walk(place):
                if isinstance(word, ast.Constant) and isinstance(word.value, str):
                    found.add(word.value)
    return found


def classes(kind: type[GatekeeperError] = GatekeeperError) -> set[type[GatekeeperError]]:
    return {kind}.union(*(classes(below) for below in kind.__subclasses__()))


def test_every_slug_of_the_code_is_explained() -> None:
    """Case 119: what a person sees can be looked up."""
    for module in pkgutil.walk_packages(package.__path__, "gatekeeper."):  # a class is known once it is imported
        if ".migrations." not in module.name:
            importlib.import_module(module.name)
    own = {slug(kind) for kind in classes() if kind.__module__.startswith("gatekeeper.")}
    own -= {slug(kind) for kind in (GatekeeperError, ModelRefused, Problem)}  # the last two have their own
    assert len(given()) > 30
    assert (given() | own) - reasons.BY_SLUG.keys() == set()


def test_a_slug_has_one_meaning() -> None:
    every = [one for reason in reasons.REASONS for one in reason.slugs]
    assert len(every) == len(set(every))


def test_the_page_shows_the_table() -> None:
    assert reasons.markdown() in PAGE.read_text()


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (errors.StaleData("nothing new."), "nothing new. [stale_data]"),
        (errors.ModelRefused("sha256", "other bytes."), "other bytes. [sha256]"),
        (errors.Held("a hold."), "a hold. [held]"),
        (OSError("no disk"), "no disk [unexpected]"),
    ],
)
def test_a_message_ends_with_its_slug(fault: Exception, shown: str) -> None:
    assert with_reason(fault) == shown


def test_the_slug_of_an_error_line_is_what_the_command_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEKEEPER_DB", "sqlite:///none.db")
    with pytest.raises(SystemExit):
        main(["list"])
    line = capsys.readouterr().err.strip()
    assert line.startswith("gatekeeper: ")
    assert line.endswith(" [schema_out_of_date]")
    for word in ("schema_out_of_date", "[schema_out_of_date]"):
        shown = CliRunner().invoke(gatekeeper, ["explain-reason", word])
        assert shown.output == (
            "schema_out_of_date: the registry's tables are missing, or of another version.\n"
            "What to do: `gatekeeper db upgrade`.\n"
        )
    with pytest.raises(ConfigError, match=r"There is no reason 'helt'\. Did you mean held\?"):
        gatekeeper.main(["explain-reason", "helt"], standalone_mode=False)
    shown = CliRunner().invoke(gatekeeper, ["explain-reason"]).output
    assert all(f": {one.meaning}.\nWhat to do: {one.way_out}.\n" in shown for one in reasons.REASONS)
    every = CliRunner().invoke(gatekeeper, ["explain-reason", "--json"])
    assert every.exit_code == 0
    assert all(f'"{one}"' in every.output for one in reasons.BY_SLUG)
    assert isinstance(gatekeeper, click.Command)
