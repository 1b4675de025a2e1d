"""The site: made without a warning, every link in it leads somewhere, it is searched, it loads nothing from afar."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
NOT_LOADED = {"canonical", "index", "search", "next", "prev", "author", "genindex"}


class Page(HTMLParser):
    """What a page of the site links to, what it loads, and the names of its places."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        for name, value in given.items():
            if tag == "a" and name == "href":
                self.links.append(value)
            elif (tag, name) in LOADED and given.get("rel") not in NOT_LOADED:
                self.loads.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `python3 dev.py docs` makes it, with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-b", "html",
         "-d", folder / "doctrees", ROOT / "docs", folder / "html"],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def targets(path: Path, links: list[str]) -> Iterator[tuple[str, Path, str]]:
    """Links of a page to places of the site: as written, the file, the anchor."""
    for link in links:
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc:
            where = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            yield link, where, unquote(parts.fragment)


def test_every_link_leads_to_a_page_and_a_place_in_it(site: Path, pages: dict[Path, Page]) -> None:
    dead = [
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        for link, where, anchor in targets(path, page.links)
        if not where.exists() or (anchor and where in pages and anchor not in pages[where].ids)
    ]
    assert not dead


def test_nothing_is_loaded_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    assert not {each for page in pages.values() for each in page.loads if urlsplit(each).netloc}
    styles = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", styles)


def test_what_people_look_for_is_found(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    found = json.loads(index[index.index("(") + 1 : index.rindex(")")])
    terms = found["terms"]
    assert {"interrupt", "sagemak", "egress"} <= set(terms)


def test_every_page_can_be_reached_from_the_first(site: Path, pages: dict[Path, Page]) -> None:
    first = site / "index.html"
    reached, ahead = {first}, [first]
    while ahead:
        path = ahead.pop()
        for _, where, _ in targets(path, pages[path].links):
            if where in pages and where not in reached:
                reached.add(where)
                ahead.append(where)
    alone = {str(path.relative_to(site)) for path in pages.keys() - reached}
    assert not alone - {"search.html", "genindex.html"}  # the search is a form, and there is no index of words


def test_every_page_has_one_title_and_no_table_without_a_head(site: Path) -> None:
    for path in site.rglob("*.html"):
        article = path.read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]
        assert path.name == "search.html" or article.count("<h1>") == 1, path
        heads = re.findall(r"<thead>.*?</thead>", article, re.DOTALL)
        assert all(re.sub(r"<[^>]*>", "", head).strip() for head in heads), path


def test_every_picture_is_drawn_for_dark_screens_too() -> None:
    pictures = list((ROOT / "docs" / "images").glob("*.svg"))
    assert pictures
    assert not [each.name for each in pictures if "prefers-color-scheme:dark" not in each.read_text(encoding="utf-8")]
