"""Mutation testing of the promotion rule, the promotion act and the ladder (`make mutants`).

The files and their tests stand in `[tool.mutmut]` of pyproject.toml. mutmut changes one thing at a time in a copy of
them (build/mutants) and runs the tests that reach it: a mutant that no test notices has survived. Exit status 1 if one
survived that `equivalent.toml` does not list, or if that list names a mutant that no longer survives.

Arguments choose mutants by name, with wildcards, which are tried again while the results of the others stand:
`make mutants MUTANTS='*ladder.x_load__*'`.
"""

import os
import shutil
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import ndiff
from pathlib import Path
from typing import Any, NamedTuple

import libcst as cst
import libcst.matchers as m

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "mutants"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
UNWRAPPED = m.Decorator(m.Name("property") | m.Name("contextmanager"))


class Change(NamedTuple):
    """One mutant, told by what it changes: numbers of mutants move with each edit of a file."""

    function: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.function}\n    - {self.before}\n    + {self.after}"


class Unwrap(cst.CSTTransformer):
    """`@property def f` as `def f` and `f = property(f)`: mutmut leaves decorated functions alone."""

    def leave_FunctionDef(self, _: cst.FunctionDef, node: cst.FunctionDef) -> Any:  # noqa: N802  # libcst's name
        if len(node.decorators) != 1 or not m.matches(node.decorators[0], UNWRAPPED):
            return node
        decorator = cst.ensure_type(node.decorators[0].decorator, cst.Name).value
        rest = cst.parse_statement(f"{node.name.value} = {decorator}({node.name.value})")
        return cst.FlattenSentinel([node.with_changes(decorators=[]), rest])


def is_prose(node: cst.CSTNode) -> bool:
    """Is it a text for people? Names, kinds and reasons that programs read have no space in them."""
    if isinstance(node, cst.SimpleString):
        return " " in node.value
    return isinstance(node, cst.FormattedString | cst.ConcatenatedString)


def without_prose(operator: Any) -> Any:
    """The operator, but for mutants of texts: no test is to pin how a message is worded."""

    def strings(node: cst.BaseString) -> Iterable[cst.CSTNode]:
        return [] if is_prose(node) else operator(node)

    def arguments(node: cst.Call) -> Iterator[cst.Call]:
        for mutated in operator(node):
            kept = {id(argument) for argument in mutated.args}
            changed = [argument for argument in node.args if id(argument) not in kept]
            if not any(is_prose(argument.value) for argument in changed):
                yield mutated

    return strings if operator.__name__ == "operator_string" else arguments


def drop_call(node: cst.Expr) -> Iterable[cst.CSTNode]:
    """A call whose result nobody reads is not made."""
    return [cst.Pass()] if isinstance(node.value, cst.Call) else []


def return_none(node: cst.Return) -> Iterable[cst.CSTNode]:
    """None is returned instead of a value."""
    empty = node.value is None or m.matches(node.value, m.Name("None"))
    return [] if empty else [node.with_changes(value=cst.Name("None"))]


def add_operators() -> None:
    """What mutmut doesn't do by itself: calls that are dropped, branches always or never taken, None returned."""
    from mutmut.mutation import mutators

    operators = mutators.mutation_operators
    assert isinstance(operators, list)  # that of mutmut 3.8
    for place, (kind, operator) in enumerate(operators):
        if operator in (mutators.operator_string, mutators.operator_arg_removal):
            operators[place] = (kind, without_prose(operator))
    operators += [(cst.Expr, drop_call), (cst.Return, return_none), (cst.If, mutators.operator_if_exp)]


def copy_of_the_house(files: Iterable[str], *, anew: bool) -> None:
    """Package, tests and settings once more, where mutmut may write; `anew`: no result of before stands."""
    if anew:
        shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True, exist_ok=True)
    for name in ("gatekeeper", "tests"):
        shutil.rmtree(PLACE / name, ignore_errors=True)
        shutil.copytree(ROOT / name, PLACE / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", PLACE)
    for name in files:
        file = PLACE / name
        file.write_text(cst.parse_module(file.read_text()).visit(Unwrap()).code)


def change_of(name: str, path: Path) -> Change:
    """What the mutant changes, in lines without their indent."""
    from mutmut.mutation.diff_apply import read_functions_from_index

    found = read_functions_from_index(name, path)
    assert found is not None
    pair = [cst.Module([function]).code.strip().splitlines() for function in found]
    lines = list(ndiff(*pair))
    before, after = (" ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in ("- ", "+ "))
    module, _, function = name.rpartition("__mutmut_")[0].rpartition(".")
    function = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return Change(f"{module.rpartition('.')[2]}.{function}", before, after)


def outcomes() -> Iterator[tuple[Path, str, str]]:
    """File, name and status of each mutant."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.file_utils import walk_mutatable_files

    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            yield path, name, status_by_exit_code[code]


def listed() -> dict[Change, str]:
    """The mutants that change nothing that matters, with the reason for each."""
    rows = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    return {Change(row["function"], row["before"], row["after"]): row["reason"] for row in rows}


def main(names: list[str]) -> int:
    """Make the mutants, try them, and print what survived."""
    started = time.monotonic()
    files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"]
    copy_of_the_house(files, anew=not names)
    os.chdir(PLACE)  # mutmut reads its settings from there when it is imported
    os.nice(10)
    from mutmut.__main__ import cli

    add_operators()
    cli.main(["run", *names], standalone_mode=False)
    equivalent, counts = listed(), {file: Counter[str]() for file in files}
    survivors: list[tuple[str, str, Change]] = []
    found: set[Change] = set()
    for path, name, status in outcomes():
        if status == "timeout":  # an endless loop is noticed too
            print(f"timed out: {name}")
        change = None if status in ("killed", "timeout") else change_of(name, path)
        if change in equivalent:
            found.add(change)
            status = "equivalent"
        elif change is not None:
            survivors.append((name, status, change))
        counts[str(path)][status] += 1
    for name, status, change in survivors:
        print(f"{status}: {name}\n{change}")
    for file, each in counts.items():
        print(f"{file}: {each.total()} mutants, " + ", ".join(f"{count} {status}" for status, count in each.items()))
    stale = [change for change in equivalent if change not in found]
    for change in stale:
        print(f"{EQUIVALENT.relative_to(ROOT)} lists what does not survive or is no longer made: {change}")
    print(f"{len(survivors)} survived unlisted; {time.monotonic() - started:.0f} s")
    return 1 if survivors or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
