"""What a field means, in the source of a dataclass, msgspec struct or pydantic model: the text below it, or behind."""

import ast
import inspect
import re
import textwrap

_BEHIND = re.compile(r"\s\s# (?!noqa|type:)(.+)$")


def field_docs(kind: type) -> dict[str, str]:
    """The text of each field that has one, those of the classes above it too."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__[:-1]):
        try:
            source = textwrap.dedent(inspect.getsource(each))
        except (OSError, TypeError):  # a class of a library in C
            continue
        (definition,) = ast.parse(source).body
        if isinstance(definition, ast.ClassDef):
            found |= _behind(definition, source.splitlines()) | _below(definition)
    return found


def _behind(definition: ast.ClassDef, lines: list[str]) -> dict[str, str]:
    fields = [each for each in definition.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)]
    comments = {each.target.id: _BEHIND.search(lines[(each.end_lineno or 1) - 1]) for each in fields}  # type: ignore[union-attr]
    return {name: comment[1] for name, comment in comments.items() if comment}


def _below(definition: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match (field, below):
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found
