"""Which values of an f-string are data, and are escaped, and which are XML already."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from trainworks.twin.emulator import xml_texts

SOURCE = """
def escape(value):
    return value.replace("&", "&amp;").replace("<", "&lt;")

def item(row):
    out = f"<key>{row['key']}</key>"
    return out

def answer(name, rows):
    items = ""
    for row in rows:
        items += f"<item>{item(row)}</item>"
    done = escape(name)
    parts = []
    parts.append(f"<p>{name}</p>")
    alias = name
    nested = "".join(f"<q>{each}</q>" for each in [name])
    return (f"<a>{items}</a><b>{done}</b><c>{escape(name)}</c><d>{''.join(parts)}</d><e>\\n {alias} \\n</e>"
            f"<f>{nested}</f><g>{len(rows)}</g>")
"""


def test_data_is_escaped_once_and_xml_is_left() -> None:
    tree = ast.parse(SOURCE)
    xml_texts.escape_data(tree)
    space: dict[str, Any] = {"__trainworks_text__": xml_texts.text, "__trainworks_message__": xml_texts.message}
    exec(compile(tree, "answers", "exec"), space)
    assert space["answer"]("<&", [{"key": "&"}]) == (
        "<a><item><key>&amp;</key></item></a><b>&lt;&amp;</b><c>&lt;&amp;</c><d><p>&lt;&amp;</p></d>"
        "<e>\n &lt;&amp; \n</e><f><q>&lt;&amp;</q></f><g>1</g>"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [("a < b & c", "a &lt; b &amp; c"), ("'&lt;x&gt;' &#39;", "'&lt;x&gt;' &#39;"), ("&nbsp;", "&amp;nbsp;"), (3, "3")],
)
def test_a_message_is_escaped_where_it_is_not_yet(given: object, told: str) -> None:
    assert xml_texts.message(given) == told
