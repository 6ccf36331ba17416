"""Sphinx's configuration of the documentation site: `make docs` builds it into build/docs, to be opened from the disk.

The pages are plain Markdown, so that they read well on GitHub too; the only directives are the tables of contents at
the end of `index.md`. Everything that the pages load comes from this folder or from the theme.
"""

project = "Gatekeeper"
copyright = "Gatekeeper's authors, Apache-2.0"
extensions = ["myst_parser"]
exclude_patterns = ["tooling"]

# Each heading is a link target, named as GitHub names it; a link to one that isn't there fails the build.
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]
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
