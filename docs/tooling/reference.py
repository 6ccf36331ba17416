"""Writes docs/reference from the code, by `make reference`; with --check says which pages are out of date."""

import sys
from pathlib import Path

import commands_page
import documents_page
import errors_page
import http_page
import metrics_page
import python_page
import settings_page
import tables_page

PLACE = Path(__file__).parents[1] / "reference"
PAGES = {
    "settings": (settings_page, "every setting: its values, default and meaning"),
    "commands": (commands_page, "every command of `gatekeeper`, its options, exit codes"),
    "tables": (tables_page, "every table and column of the registry"),
    "metrics": (metrics_page, "every metric of the server"),
    "http": (http_page, "what the server answers: paths, objects, statuses"),
    "python": (python_page, "the public names of the package"),
    "errors": (errors_page, "error classes, and the reasons that programs read"),
    "documents": (documents_page, "evaluation and check documents, receipts, decision lines"),
}


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    made = {f"{name}.md": module.made() for name, (module, _) in PAGES.items()}
    lines = [f"- [{text.partition(chr(10))[0].removeprefix('# ')}]({name})" for name, text in made.items()]
    about = [f"{line}: {what}" for line, (_, what) in zip(lines, PAGES.values(), strict=True)]
    index = "# Reference\n\nMade from the code by `make reference`.\n\n" + "\n".join(about) + "\n"
    return {"index.md": index, **made}


def main() -> int:
    """Returns 1 if --check finds a page that isn't what would be written."""
    stale = [name for name, text in pages().items() if _read(PLACE / name) != text]
    if "--check" in sys.argv:
        for name in stale:
            print(f"docs/reference/{name} is out of date: run `make reference`")
        return int(bool(stale))
    PLACE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (PLACE / name).write_text(text, "utf-8")
    print(f"docs/reference: {len(stale)} of {len(pages())} pages changed")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
