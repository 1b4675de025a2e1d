"""What CloudFormation finds wrong with a template, as data: what `check` shows and what the twin answers.

template_form  sections, members, names, sizes   --+
template_references  functions, names, conditions  +--> template_check.flaws --> check: TW00 | twin: refused
property_flaws  properties against the schemas   --+
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Where = tuple[str, ...]
"""The path to a place in a template: `("Resources", "Topic", "Properties", "TopicName")`."""

TYPE_CHANGED = (
    "Update of resource type is not permitted. The new template modifies resource type of the following resources:"
)
"""What CloudFormation answers to an update that gives a logical id another type; the ids follow in brackets."""

_UNRESOLVED = re.compile(r"(Template format error: Unresolved resource dependencies) \[(.*)\] (in the \w+ block .*)")


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong at `where`: `refusal` is what CloudFormation answers, the rest is for people."""

    where: Where
    message: str
    fix: str
    refusal: str

    @property
    def resource(self) -> str:
        """The logical id of the resource that it is in, or an empty text."""
        return self.where[1] if len(self.where) > 1 and self.where[0] == "Resources" else ""

    @property
    def path(self) -> str:
        """`/Resources/Topic/Properties/TopicName`."""
        return "".join(f"/{step}" for step in self.where)


def refusal_of(flaws: Sequence[Flaw]) -> str:
    """What CloudFormation says about them: the first one, with all names of one block that nothing answers to."""
    first = _UNRESOLVED.fullmatch(flaws[0].refusal)
    if first is None:
        return flaws[0].refusal
    names: dict[str, None] = {}
    for flaw in flaws:
        other = _UNRESOLVED.fullmatch(flaw.refusal)
        if other is not None and other[3] == first[3]:
            names[other[2]] = None
    return f"{first[1]} [{', '.join(sorted(names))}] {first[3]}"
