"""Pictures: every one is shown somewhere, whole in both colour schemes, and made by the script."""

import ast
import re
import struct
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
PAGES = [*HOUSE.glob("*.md"), *HOUSE.glob("docs/**/*.md")]
PICTURES = sorted(HOUSE.glob("docs/**/*.png"))


def made() -> set[str]:
    """The names that `make pictures` writes: its own, and those of the journey."""
    own = ast.parse((HOUSE / "docs" / "tooling" / "pictures.py").read_text())
    names = {
        each.right.value
        for each in ast.walk(own)
        if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Div) and isinstance(each.right, ast.Constant)
    }
    journey = (HOUSE / "tests" / "end_to_end" / "test_journey.py").read_text()
    return names | set(re.findall(r'screen\.picture\("([\w-]+)"', journey))


def size(picture: Path) -> tuple[int, int]:
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def shown() -> set[Path]:
    """What the pages show, in Markdown and as <picture>."""
    found = set()
    for page in PAGES:
        text = page.read_text()
        targets = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text) + re.findall(r'src(?:set)?="([^"\s]+)"', text)
        found |= {(page.parent / target).resolve() for target in targets if "://" not in target}
    return found


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_made_by_the_script_and_used(picture: Path) -> None:
    name = picture.stem.removesuffix("-dark")
    assert name in made(), f"{picture.name}: make pictures doesn't make it; a picture made by hand goes stale"
    assert picture.with_name(f"{name}.png") in shown(), f"no page shows {name}.png; remove it"


@pytest.mark.parametrize("picture", [each for each in PICTURES if "-dark" not in each.name], ids=lambda path: path.name)
def test_it_is_there_in_both_colour_schemes(picture: Path) -> None:
    dark = picture.with_name(f"{picture.stem}-dark.png")
    assert size(dark) == size(picture)
    assert dark.read_bytes() != picture.read_bytes()
