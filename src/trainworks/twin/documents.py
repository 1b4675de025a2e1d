"""What a document that came in may be, before anything parses it: how deep, and for XML how many elements and no DTD.

    json    brackets nested JSON_DEPTH deep outside of strings        cbor    read by our own decoder, which bounds it
    xml     no document type, XML_DEPTH deep, XML_ELEMENTS elements   query   flat

Each check is linear in the size of the body.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from trainworks.twin.ports import ApiError

JSON_DEPTH = 200
XML_DEPTH = 32
XML_ELEMENTS = 100_000

# How a document in UTF-16 begins; readers of XML take it as they take one in UTF-8.
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00<")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def check(service: str, content_type: str, body: bytes) -> None:
    """Raise `ApiError` if a body is a document that is too deep, or XML that no parser may be given."""
    if service == "s3":
        if body:
            check_xml(body)
    elif "x-www-form-urlencoded" not in content_type and "cbor" not in content_type:
        check_json(body)


def check_json(body: bytes) -> None:
    """Raise `SerializationException` for JSON that is nested more than `JSON_DEPTH` deep."""
    if body.count(b"{") + body.count(b"[") > JSON_DEPTH and _is_deep(_STRING.sub(b"", body)):
        raise ApiError("SerializationException", f"The request is nested more than {JSON_DEPTH} deep.", 400)


def check_xml(body: bytes) -> None:
    """Raise `MalformedXML` for a document with a DTD, nested too deep, or with too many elements.

    A document that is not XML at all passes: the policy documents of buckets are JSON, and whoever parses the rest
    reports it.
    """
    if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] != b"<" and not body.startswith(_WIDE):
        return
    depth = elements = 0

    def start(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth += 1
        elements += 1
        if depth > XML_DEPTH or elements > XML_ELEMENTS:
            raise _malformed()

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_arguments: object) -> None:
        raise _malformed()

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError) as error:
        raise _malformed() from error


def _is_deep(text: bytes) -> bool:
    """Whether brackets are nested too deep: pairs with nothing between them are taken away, a level at a time."""
    brackets = text.translate(None, delete=_OTHERS)
    for _ in range(JSON_DEPTH):
        if not brackets:
            return False
        shorter = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(shorter) == len(brackets):
            # What is left does not pair up, so it is not JSON: who parses it says so, if that needs no depth.
            return brackets.count(b"{") + brackets.count(b"[") > JSON_DEPTH
        brackets = shorter
    return bool(brackets)


def _malformed() -> ApiError:
    message = "The XML you provided was not well-formed or did not validate against our published schema"
    return ApiError("MalformedXML", message, 400)
