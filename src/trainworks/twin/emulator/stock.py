"""The forms in which ministack's own code, called stock, answers. Our corrections take them and give them back."""

from __future__ import annotations

from typing import Any

StockResponse = tuple[int, dict[str, str], bytes]
"""The HTTP status, headers and body with which an operation ends."""

StockResource = tuple[str, dict[str, Any]]
"""The physical id of a resource and its attributes, with which the handler of a resource type ends."""
