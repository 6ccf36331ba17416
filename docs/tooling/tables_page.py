"""Reference of the registry's tables, from their definitions and the comments in them."""

from markdown import code, page, sentence, table
from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql import dialect as postgresql

from gatekeeper.registry.db.check_tables import checks
from gatekeeper.registry.decision_log.tables import decisions

ABOUT = """The registry is one database, SQLite or PostgreSQL. `RLModel` and `RLDataset` keep the columns that older
servers read and write; where `db upgrade` found such a table, its columns and types stay as they were, and so do its
comments. All else is in tables of Gatekeeper's own. In PostgreSQL every table and column of Gatekeeper's carries the
text of this page as its comment; `db upgrade` writes it. Times are in UTC. Types are those of PostgreSQL."""


def tables() -> list[Table]:
    """All of the registry's, the two old ones first."""
    assert decisions.metadata is checks.metadata  # one registry
    return sorted(checks.metadata.tables.values(), key=lambda each: (each.name.startswith("gatekeeper"), each.name))


def made() -> str:
    """The page."""
    sections = []
    for each in tables():
        rows = [row(column) for column in each.columns]
        about = sentence(each.comment or "")
        sections += [f"## {each.name}", about, table(["column", "type", "null", "refers to", "meaning"], rows)]
    return page("Tables", ABOUT, *sections)


def row(column: "Column[object]") -> list[str]:
    """One column."""
    refers = ", ".join(code(key.target_fullname) for key in sorted(column.foreign_keys, key=str))
    kind = column.type.compile(dialect=postgresql()).lower()
    return [code(column.name), kind, "yes" if column.nullable else "", refers, sentence(column.comment or "")]
