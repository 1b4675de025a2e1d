"""The fields of states in a state machine's definition: which there are, which the twin runs, and what they may hold.

After "Amazon States Language" (Step Functions Developer Guide). A field that AWS has and the twin does not run is
refused by its name, as an integration is; one that AWS does not have is not a field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Found = tuple[str, str, str]
"""(code, message, field) of a problem with a state."""

INVALID, NOT_RUN = "SCHEMA_VALIDATION_FAILED", "NOT_IMPLEMENTED"

_EVERY = {"Type", "Comment", "QueryLanguage"}
_FLOW = {"InputPath", "OutputPath", "Next", "End", "Output", "Assign"}
_RESULT = {"ResultPath", "ResultSelector"}
_TRIES = {"Retry", "Catch"}
_FIELDS: dict[str, frozenset[str]] = {
    "Choice": frozenset({"Choices", "Default", "InputPath", "OutputPath", "Output", "Assign"}),
    "Fail": frozenset({"Error", "Cause", "ErrorPath", "CausePath"}),
    "Map": frozenset(
        _FLOW | _RESULT | _TRIES
        | {"Iterator", "ItemProcessor", "ItemsPath", "Items", "ItemSelector", "Parameters", "MaxConcurrency",
           "MaxConcurrencyPath", "ItemReader", "ItemBatcher", "ResultWriter", "Label", "ToleratedFailureCount",
           "ToleratedFailureCountPath", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath"}
    ),
    "Parallel": frozenset(_FLOW | _RESULT | _TRIES | {"Branches", "Parameters", "Arguments"}),
    "Pass": frozenset(_FLOW | {"Result", "ResultPath", "Parameters"}),
    "Succeed": frozenset({"InputPath", "OutputPath", "Output"}),
    "Task": frozenset(
        _FLOW | _RESULT | _TRIES
        | {"Resource", "Parameters", "Arguments", "Credentials", "TimeoutSeconds", "TimeoutSecondsPath",
           "HeartbeatSeconds", "HeartbeatSecondsPath"}
    ),
    "Wait": frozenset(_FLOW | {"Seconds", "Timestamp", "SecondsPath", "TimestampPath"}),
}  # fmt: skip

_NOT_RUN = frozenset(
    {"Credentials", "HeartbeatSecondsPath", "ItemBatcher", "MaxConcurrencyPath", "ResultWriter",
     "TimeoutSecondsPath", "ToleratedFailureCountPath", "ToleratedFailurePercentagePath"}
)  # fmt: skip
_JSONATA_ONLY = frozenset({"Arguments", "Assign", "Items", "Output"})

INTRINSICS = frozenset(
    f"States.{name}"
    for name in (
        "Array", "ArrayContains", "ArrayGetItem", "ArrayLength", "ArrayPartition", "ArrayRange", "ArrayUnique",
        "Base64Decode", "Base64Encode", "Format", "Hash", "JsonMerge", "JsonToString", "MathAdd", "MathRandom",
        "StringSplit", "StringToJson", "UUID",
    )
)  # fmt: skip
_CALL = re.compile(r"'(?:\\.|[^'\\])*'|(States\.\w+)\s*\(")


def field_problems(state: Mapping[str, Any], language: str) -> Iterator[Found]:
    """What is wrong with the fields of a state, whose type is one; `language` is the machine's QueryLanguage."""
    kind, language = state["Type"], state.get("QueryLanguage", language)
    for name in state:
        if name not in _FIELDS[kind] and name not in _EVERY:
            yield INVALID, f"The field '{name}' is not supported by a {kind} state", name
        elif name in _NOT_RUN:
            yield (
                NOT_RUN,
                f"trainworks does not run the field {name} of a {kind} state; see docs/reference/fidelity.md",
                name,
            )
        elif name in _JSONATA_ONLY and language != "JSONata":
            if name == "Assign":
                yield NOT_RUN, "trainworks runs Assign with JSONata alone; see docs/reference/fidelity.md", name
            else:
                yield INVALID, f"The field '{name}' is supported by the QueryLanguage JSONata alone", name
    if "HeartbeatSeconds" in state and ":activity:" in str(state.get("Resource")):
        yield (
            NOT_RUN,
            "trainworks does not run HeartbeatSeconds of an activity; see docs/reference/fidelity.md",
            "HeartbeatSeconds",
        )
    if language != "JSONata":
        yield from _intrinsics(state)
    yield from _tries(state)


def _tries(state: Mapping[str, Any]) -> Iterator[Found]:
    for name in ("Retry", "Catch"):
        given = state.get(name, [])
        if not isinstance(given, list):
            yield INVALID, f"The field '{name}' must be an array", name
            continue
        for number, each in enumerate(given):
            place = f"{name}[{number}]"
            if not isinstance(each, Mapping):
                yield INVALID, f"Each of '{name}' is an object", place
                continue
            yield from _errors(each, place)
            if name == "Retry":
                yield from _retrier(each, place)


def _errors(each: Mapping[str, Any], place: str) -> Iterator[Found]:
    errors = each.get("ErrorEquals")
    if not isinstance(errors, list) or not errors or not all(isinstance(error, str) for error in errors):
        yield INVALID, "The field 'ErrorEquals' must be a non-empty array of strings", f"{place}/ErrorEquals"
    elif "States.ALL" in errors and len(errors) > 1:
        yield INVALID, "States.ALL must appear alone", f"{place}/ErrorEquals"


def _retrier(each: Mapping[str, Any], place: str) -> Iterator[Found]:
    limits = {
        "IntervalSeconds": (1, 99_999_999), "MaxAttempts": (0, 99_999_999), "BackoffRate": (1, None),
        "MaxDelaySeconds": (1, 31_622_399),
    }  # fmt: skip
    for name, (low, high) in limits.items():
        value = each.get(name, low)
        whole = name != "BackoffRate"
        good = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not good or value < low or (high is not None and value > high):
            yield INVALID, f"The value of '{name}' is not valid: {value}", f"{place}/{name}"
    if each.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
        yield INVALID, f"The value of 'JitterStrategy' is FULL or NONE, not {each['JitterStrategy']}", place


def _intrinsics(value: Any, place: str = "") -> Iterator[Found]:
    """Functions that there are not, wherever a field's name ends in `.$`; branches are looked at as states."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _intrinsics(item, f"{place}[{number}]")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            where = f"{place}/{name}" if place else str(name)
            if str(name).endswith(".$") and isinstance(item, str):
                for called in _CALL.findall(item):
                    if called and called not in INTRINSICS:
                        yield INVALID, f"The function '{called}' is not supported", where
            elif name not in ("Branches", "ItemProcessor", "Iterator"):
                yield from _intrinsics(item, where)
