"""TW32: policy documents that the service refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.iam.policy_places import TYPES, documents_at
from trainworks.aws.iam.validation import problem
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

# Stands for a value that only the deployment knows, so that it is not reported.
_STAND_INS = {"Sid": "", "Effect": "Allow", "Version": "2012-10-17", "Condition": "true", "Service": "s.amazonaws.com"}


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for resource in graph.resources:
        for place in TYPES.get(resource.type, ()):
            written = documents_at(resource.raw.get("Properties") or {}, place.path)
            for document, raw in zip_longest(documents_at(resource.properties, place.path), written):
                known = _known(document, "", raw)
                # Of what nobody knows nothing is left.
                found = problem(known, place.kind) if known or document == known else None
                if found is not None:
                    message = f"its {place.kind.name} is refused: {found.message}"
                    yield Fault(resource, message, None, f"correct {'.'.join(place.path)}")


def _known(value: Any, element: str, raw: Any) -> Any:
    """The document with stand-ins for what is unknown; None if a part that holds others is unknown.

    `raw` is as the template has it. What a reference stands for may be a guess, so it is not held against a resource.
    """
    if isinstance(value, Unknown):
        return _STAND_INS.get(element, "*") if element else None
    if isinstance(value, Mapping):
        inner = {
            str(key): _known(item, _element(element, str(key)), raw.get(key) if isinstance(raw, Mapping) else None)
            for key, item in value.items()
        }
        return {key: item for key, item in inner.items() if item is not None}
    if isinstance(value, list):
        raws = raw if isinstance(raw, list) and len(raw) == len(value) else [None] * len(value)
        items = [_known(item, element, each) for item, each in zip(value, raws, strict=True)]
        return [item for item in items if item is not None]
    return "*" if isinstance(raw, Mapping) and element in ("Resource", "NotResource") else value


def _element(within: str, key: str) -> str:
    """Which element of a statement a key belongs to; the statements themselves are none."""
    if within in ("Principal", "NotPrincipal"):
        return key
    if within == "Condition":
        return within
    return "" if key == "Statement" else key


RULE = Rule(
    code="TW32",
    severity=Severity.ERROR,
    title="a policy document that the service refuses",
    origin="MalformedPolicyDocument in the middle of a deployment, and the whole of it rolls back.",
    find=find,
)
