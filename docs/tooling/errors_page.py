"""Reference of errors: the classes, and the slugs that programs read."""

import ast
import inspect
from pathlib import Path

from markdown import code, doc, page, table

import gatekeeper
from gatekeeper import errors

ABOUT = """Every refusal is a `gatekeeper.errors.GatekeeperError`, one class for each thing that a caller can do
differently. Its message names what is wrong with its value, the limit and the way out, and shows no secret. On the
command line it is one line on standard error, and exit code 1. Airflow retries a task only after a *retryable* one."""

SLUGS = """The reason of an error is its class's name as a slug: `stale_data` for `StaleData`. These stand for models
that were refused (`ModelRefused.reason`, the label of the metric `gatekeeper_load_failures_total`, the column `reason`
of `gatekeeper_fault`) and for requests (problem JSON, field `reason`). [Troubleshooting](TROUBLESHOOTING) and
`gatekeeper explain-reason` say what to do about each."""


def classes() -> list[type[errors.GatekeeperError]]:
    """In the order of the module."""
    found = vars(errors).values()
    return [each for each in found if inspect.isclass(each) and issubclass(each, errors.GatekeeperError)]


def slugs() -> dict[str, set[str]]:
    """Each slug in the package's source, and where it comes from: `model` or the HTTP statuses."""
    given: dict[str, set[str]] = {}
    for path in Path(gatekeeper.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            values = [each.value if isinstance(each, ast.Constant) else None for each in node.args[:2]]
            match (name, values):
                case ("ModelRefused", [str(slug), *_]):
                    given.setdefault(slug, set()).add("model")
                case ("Problem", [int(status), str(slug)]):
                    given.setdefault(slug, set()).add(f"HTTP {status}")
    return given


def made() -> str:
    """The page."""
    kinds = []
    for each in classes():
        above = next(base.__name__ for base in each.__mro__[1:])
        kinds.append([code(each.__name__), code(above), "yes" if each.retryable else "", doc(each)])
    of_slugs = [[code(slug), ", ".join(sorted(where))] for slug, where in sorted(slugs().items())]
    troubleshooting = "../troubleshooting.md"
    if (Path(__file__).parents[1] / "how-to" / "troubleshoot.md").exists():
        troubleshooting = "../how-to/troubleshoot.md"
    return page(
        "Errors",
        ABOUT,
        table(["error", "is a", "retryable", "meaning"], kinds),
        "## Reasons",
        SLUGS.replace("TROUBLESHOOTING", troubleshooting),
        table(["reason", "of"], of_slugs),
    )
