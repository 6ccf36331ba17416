"""CONTRIBUTING's four changes are all there; test_documents.py applies them to the code as it is."""

from document_clone import HOUSE
from document_pages import blocks


def test_there_are_the_four() -> None:
    changes = [
        line.removeprefix("### ") for line in (HOUSE / "CONTRIBUTING.md").read_text().splitlines() if line[:3] == "###"
    ]
    assert changes == ["Add a recipe", "Add a gate", "Add a setting", "Add a vendor"]
    assert [block.language for block in blocks(HOUSE, "CONTRIBUTING.md")].count("diff") == len(changes)
