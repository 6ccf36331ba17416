"""Docstrings of fields: the text below a field in the source of a dataclass, a msgspec struct or a pydantic model."""

import ast
import inspect
import textwrap


def field_docs(kind: type) -> dict[str, str]:
    """The text of each field that has one, those of the classes above it too."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__[:-1]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(each)))
        except (OSError, TypeError):  # a class of a library in C
            continue
        (definition,) = tree.body
        if isinstance(definition, ast.ClassDef):
            found |= _of(definition)
    return found


def _of(definition: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match (field, below):
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found
