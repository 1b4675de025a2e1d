"""JSON nested too deep is bad JSON, wherever it is found: also in the documents that requests hold as text.

Python's reader raises `RecursionError` for it, which ministack answers as a fault of its own (500). As a
`JSONDecodeError` it is what every reader of JSON expects of a text that a caller wrote.
"""

from __future__ import annotations

import json
from typing import Any


def install() -> None:
    """Correct the decoder that `json.loads` uses, in this process."""
    decoder: Any = json.JSONDecoder
    if getattr(decoder, "says_depth", False):
        return
    stock = decoder.decode

    def decode(self: json.JSONDecoder, text: str, *arguments: Any) -> Any:
        try:
            return stock(self, text, *arguments)
        except RecursionError:
            raise json.JSONDecodeError("Too many levels of nesting", text, 0) from None

    decoder.decode, decoder.says_depth = decode, True
