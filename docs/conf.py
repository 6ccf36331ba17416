"""Sphinx's configuration of the documentation site: `make docs` builds it into build/docs, to be opened from the disk.

The pages are plain Markdown, so that they read well on GitHub too; the only directives are the tables of contents at
the end of `index.md`. Everything that the pages load comes from this folder or from the theme.
"""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

project = "Gatekeeper"
copyright = "Gatekeeper's authors, Apache-2.0"
extensions = ["myst_parser"]
exclude_patterns = ["tooling"]

# Each heading is a link target, named as GitHub names it; a link to one that isn't there fails the build.
myst_heading_anchors = 4
nitpicky = True
suppress_warnings = [
    "misc.highlighting_failure",  # a console block whose command goes over several lines: shown without colours
]

html_theme = "furo"
html_title = "Gatekeeper"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_static_path = ["site.css"]
html_css_files = ["site.css"]
pygments_style = "default"
pygments_dark_style = "github-dark"


def setup(app: Sphinx) -> None:
    """Pictures in both colour schemes are <picture> elements, whose files Sphinx doesn't copy by itself."""
    app.connect("build-finished", lambda app, _: _copy_pictures(Path(app.srcdir), Path(app.outdir)))


def _copy_pictures(source: Path, site: Path) -> None:
    for picture in source.rglob("*.png"):
        place = site / picture.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, place)
