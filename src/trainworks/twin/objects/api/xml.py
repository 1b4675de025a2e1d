"""S3's XML: documents written from nested pairs, request bodies read into plain elements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import quote
from xml.etree import ElementTree as ET

from trainworks.twin import documents
from trainworks.twin.objects.errors import malformed_xml

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
Content: TypeAlias = "str | int | bool | Sequence[tuple[str, Content]] | None"
Node: TypeAlias = tuple[str, Content]

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_SPECIAL = re.compile('[&<>"\x00-\x08\x0b-\x1f]')


def document(root: str, children: Sequence[Node], *, namespace: bool = True) -> bytes:
    """An XML document; children whose content is None are left out."""
    parts = [_HEAD, f'<{root} xmlns="{NAMESPACE}">' if namespace else f"<{root}>"]
    _write(parts, children)
    parts.append(f"</{root}>")
    return "".join(parts).encode("utf-8")


def timestamp(seconds: float) -> str:
    """As in S3's documents: `2026-01-02T03:04:05.678Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def encoded(value: str, encoding_type: str | None) -> str:
    """A key as `encoding-type=url` wants it, or as it is."""
    return quote(value, safe="/*-._~ ").replace(" ", "+") if encoding_type == "url" else value


def parse(body: bytes, root: str) -> ET.Element:
    """The root element of a request body, namespaces removed. Raises `MalformedXML`, also for what is out of bounds."""
    documents.check_xml(body)
    try:
        element = ET.fromstring(body.decode("utf-8"))  # noqa: S314 -- without a DTD there are no entities to expand
    except (UnicodeDecodeError, ET.ParseError, ValueError) as error:
        raise malformed_xml() from error
    for item in element.iter():
        item.tag = item.tag.rpartition("}")[2]
    if element.tag != root:
        raise malformed_xml()
    return element


def text_of(element: ET.Element, name: str) -> str | None:
    """The text of a child, "" for an empty one, None if there is none."""
    child = element.find(name)
    return None if child is None else (child.text or "")


def required(element: ET.Element, name: str) -> str:
    """The text of a child that must be there. Raises `MalformedXML`."""
    text = text_of(element, name)
    if text is None:
        raise malformed_xml()
    return text


def _write(parts: list[str], children: Iterable[Node]) -> None:
    for name, content in children:
        if content is None:
            continue
        parts.append(f"<{name}>")
        if isinstance(content, bool):
            parts.append("true" if content else "false")
        elif isinstance(content, int):
            parts.append(str(content))
        elif isinstance(content, str):
            parts.append(_SPECIAL.sub(_escape, content))
        else:
            _write(parts, content)
        parts.append(f"</{name}>")


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _ESCAPES.get(character) or f"&#x{ord(character):X};"
