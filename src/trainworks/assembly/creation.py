"""Where in somebody's code a construct was made: the CDK writes the call stack of each beside its construct path.

Source of the form: the CDK's cloud assembly schema, `aws:cdk:creationStack` entries and the `trace` of others. A frame
is `new Storage (/app/lib/storage.ts:12:5)`, innermost first. An app in Python or Java has none of its own code in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_AT = r":(?P<line>\d+)(?::\d+)?"
_FRAMES = (re.compile(rf"\((?P<file>[^()]+?){_AT}\)\s*$"), re.compile(rf"(?:^|\s)(?P<file>\S+?){_AT}\s*$"))
_NOT_OF_THE_APP = ("node_modules", "site-packages", "node:", "jsii-kernel")


def places_of_creation(metadata: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[tuple[str, str]]:
    """(construct path below the root stack, `FILE:LINE`) of each construct whose call stack shows code of the app."""
    for path, entries in metadata.items():
        place = next((found for entry in entries for found in _own_frames(_frames(entry))), None)
        if place is not None:
            yield path.removeprefix("/").partition("/")[2], place


def nearest(places: Mapping[str, str], path: str) -> str:
    """The place of the construct at `path`, or of the closest one above it; empty if none is known."""
    while path and path not in places:
        path = path.rpartition("/")[0]
    return places.get(path, "") if path else ""


def _frames(entry: Mapping[str, Any]) -> Sequence[object]:
    frames = entry.get("data") if entry.get("type") == "aws:cdk:creationStack" else entry.get("trace")
    return frames if isinstance(frames, list) else ()


def _own_frames(frames: Sequence[object]) -> Iterator[str]:
    for frame in frames:
        found = next((match for form in _FRAMES if (match := form.search(str(frame)))), None)
        if found and not any(part in found["file"] for part in _NOT_OF_THE_APP):
            yield f"{found['file'].removeprefix('file://')}:{found['line']}"
