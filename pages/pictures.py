"""Small pictures as SVG: boxes, words and arrows, light or dark as their reader's screen is.

They are files of their own, so that the clone's pages show them wherever Markdown is shown, and no script is loaded.
Generated pages draw theirs; `drawings.py` has those of pages that people write.
"""

from __future__ import annotations

from html import escape

_FONT = "ui-sans-serif, system-ui, sans-serif"
_LIGHT = {
    ".bg": "fill:#fff",
    ".box": "fill:#f6f8fa;stroke:#5b6472;stroke-width:1.2",
    ".group": "fill:#e8f1fb;stroke:#2f6fb2",
    ".end": "fill:#eaf6ec;stroke:#3a8a4d",
    ".out": "fill:#fff4e0;stroke:#c5801a",
    ".twin": "fill:#f3edfb;stroke:#7a4fb0",
    ".line": "stroke:#5b6472;stroke-width:1.4;fill:none;marker-end:url(#a)",
    ".both": "marker-start:url(#a)",
    ".head": "fill:#5b6472",
    ".t": "fill:#1c2430",
    ".h": "font-weight:600",
    ".s": "font-size:12px;fill:#465061",
}
_DARK = {
    ".bg": "fill:#131416",
    ".box": "fill:#1f2329;stroke:#8b96a5",
    ".group": "fill:#17283b;stroke:#5b9bdc",
    ".end": "fill:#16301c;stroke:#5cb56f",
    ".out": "fill:#33270f;stroke:#d89b3c",
    ".twin": "fill:#281d3a;stroke:#a884dc",
    ".line": "stroke:#9aa4b2",
    ".head": "fill:#9aa4b2",
    ".t": "fill:#e6e9ee",
    ".s": "fill:#b4bcc8",
}
"""The classes of both colour schemes; the dark ones replace what they name. An order: later classes win."""


def _rules(style: dict[str, str]) -> str:
    return "".join(f"{name}{{{rule}}}" for name, rule in style.items())


_STYLE = f"{_rules(_LIGHT)}@media (prefers-color-scheme:dark){{{_rules(_DARK)}}}"
_HEAD = (
    '<marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
    '<path class="head" d="M0 0L10 5L0 10z"/></marker>'
)

Point = tuple[float, float]


class Picture:
    """What is drawn so far; coordinates are pixels from the upper left corner."""

    def __init__(self, title: str, width: int, height: int) -> None:
        self._title, self._width, self._height = title, width, height
        self._parts: list[str] = []

    def box(self, corner: Point, size: Point, kind: str = "box") -> None:
        """A rectangle; `kind` is one of the classes of the style."""
        (x, y), (width, height) = corner, size
        self._parts.append(
            f'<rect class="box {kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'
        )

    def words(self, text: str, at: Point, *, middle: bool = True, small: bool = False, heading: bool = False) -> None:
        """A line of text; `at` is its middle, or its beginning."""
        anchor = ' text-anchor="middle"' if middle else ""
        kind = "s" if small else "t h" if heading else "t"
        self._parts.append(f'<text class="{kind}" x="{at[0]:g}" y="{at[1]:g}"{anchor}>{escape(text)}</text>')

    def card(self, corner: Point, size: Point, lines: tuple[str, ...], kind: str = "box") -> None:
        """A rectangle with a heading and small lines below it, from its upper left corner on."""
        self.box(corner, size, kind)
        heading, *rest = lines
        self.words(heading, (corner[0] + 14, corner[1] + 22), middle=False, heading=True)
        for row, line in enumerate(rest):
            self.words(line, (corner[0] + 14, corner[1] + 41 + 17 * row), middle=False, small=True)

    def arrow(self, start: Point, end: Point, bend: float = 0, *, both: bool = False) -> None:
        """An arrow, straight or bent by so many pixels to below (or above where negative); `both` ends have a head."""
        (x1, y1), (x2, y2) = start, end
        way = f"Q{(x1 + x2) / 2:g} {(y1 + y2) / 2 + bend:g} {x2:g} {y2:g}" if bend else f"L{x2:g} {y2:g}"
        kind = "line both" if both else "line"
        self._parts.append(f'<path class="{kind}" d="M{x1:g} {y1:g}{way}"/>')

    def svg(self) -> str:
        """The file."""
        view = f'viewBox="0 0 {self._width} {self._height}" width="{self._width}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {view} font-family="{_FONT}" font-size="14" role="img">',
                f"<title>{escape(self._title)}</title><defs>{_HEAD}<style>{_STYLE}</style></defs>",
                f'<rect class="bg" width="{self._width}" height="{self._height}" rx="10"/>',
                *self._parts,
                "</svg>",
                "",
            ]
        )
