"""How Sphinx makes the site: `python3 dev.py docs` writes it to `site/`, and it reads without a network.

The pages are plain Markdown that reads as well in the clone. MyST checks every link to another page with its anchor;
with `-W`, as the tests run it, a link that leads nowhere ends the build.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

project = "trainworks"
author = "the trainworks authors"
copyright = f"{author}, Apache-2.0"  # noqa: A001 - Sphinx calls it so
extensions = ["myst_parser"]
exclude_patterns = ["**/*.py"]
templates_path: list[str] = []

myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "trainworks"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_search_scorer = str(DOCS / "static" / "scorer.js")
html_use_index = False
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

_CODE_OR_LINK = re.compile(r"```.*?```|(?<!!)\[([^\]]+)\]\((?!https?://|#)([^)#\s]+)(#[^)\s]*)?\)|`[^`\n]+`", re.DOTALL)


def setup(app: Any) -> None:
    """Register what is particular to these pages."""
    app.connect("source-read", _name_what_is_outside)


def _name_what_is_outside(app: Any, page: str, source: list[str]) -> None:
    """A link to a file of the clone that the site does not have becomes its path, which a reader can open there.

    Whether that file is there is a matter of tests/acceptance/test_readme.py, which looks at all links.
    """
    folder = (DOCS / page).parent

    def told(link: re.Match[str]) -> str:
        if link[1] is None:
            return link[0]
        target = Path(os.path.normpath(folder / link[2]))
        if target.is_relative_to(DOCS):
            return link[0]
        path = f"`{target.relative_to(ROOT)}`"
        words = link[1].strip("`")
        return path if words.endswith(target.name) or words == target.stem else f"{link[1]} ({path})"

    source[0] = _CODE_OR_LINK.sub(told, source[0])
