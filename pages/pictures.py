"""Small pictures as SVG: boxes, words and arrows, drawn by the generated pages.

They are files of their own, so that the clone's pages show them wherever Markdown is shown, and no script is loaded.
"""

from __future__ import annotations

from html import escape

_FONT = "ui-sans-serif, system-ui, sans-serif"
_STYLE = (
    ".bg{fill:#fff}.box{fill:#f6f8fa;stroke:#5b6472;stroke-width:1.2}.group{fill:#e8f1fb;stroke:#2f6fb2}"
    ".end{fill:#eaf6ec;stroke:#3a8a4d}.bad{fill:#fdecea;stroke:#b3392f}.out{fill:#fff4e0;stroke:#c5801a}"
    ".line{stroke:#5b6472;stroke-width:1.4;fill:none;marker-end:url(#a)}"
    ".t{fill:#1c2430}.s{font-size:12px;fill:#465061}"
)
_HEAD = (
    '<marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L10 5L0 10z" fill="#5b6472"/></marker>'
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

    def words(self, text: str, at: Point, *, middle: bool = True, small: bool = False) -> None:
        """A line of text; `at` is its middle, or its beginning."""
        anchor = ' text-anchor="middle"' if middle else ""
        self._parts.append(
            f'<text class="{"s" if small else "t"}" x="{at[0]:g}" y="{at[1]:g}"{anchor}>{escape(text)}</text>'
        )

    def arrow(self, start: Point, end: Point, bend: float = 0) -> None:
        """An arrow, straight or bent by so many pixels to below (or above where negative)."""
        (x1, y1), (x2, y2) = start, end
        way = f"Q{(x1 + x2) / 2:g} {(y1 + y2) / 2 + bend:g} {x2:g} {y2:g}" if bend else f"L{x2:g} {y2:g}"
        self._parts.append(f'<path class="line" d="M{x1:g} {y1:g}{way}"/>')

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
