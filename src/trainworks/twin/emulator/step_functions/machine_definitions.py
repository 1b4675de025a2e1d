"""Whether a state machine's definition is one, and whether the twin runs all that it asks for.

After "Amazon States Language" and `ValidateStateMachineDefinition` (Step Functions Developer Guide): problems are data,
with AWS's codes and the place in the document.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.twin.emulator.step_functions.machine_fields import field_problems

STATES = frozenset({"Choice", "Fail", "Map", "Parallel", "Pass", "Succeed", "Task", "Wait"})
_ENDS = frozenset({"Fail", "Succeed"})
_SERVICE = "arn:aws:states:::"
_CALLBACK, _SYNC = ".waitForTaskToken", ".sync"
_SDK = f"{_SERVICE}aws-sdk:"

INTEGRATIONS: dict[str, tuple[str, ...]] = {
    "batch:submitJob": ("", _SYNC),
    "dynamodb:deleteItem": ("",),
    "dynamodb:getItem": ("",),
    "dynamodb:putItem": ("",),
    "dynamodb:updateItem": ("",),
    "events:putEvents": ("", _CALLBACK),
    "lambda:invoke": ("", _CALLBACK),
    "sagemaker:createTrainingJob": ("", _SYNC),
    "sns:publish": ("", _CALLBACK),
    "sqs:sendMessage": ("", _CALLBACK),
    "states:startExecution": ("", _SYNC, ".sync:2", _CALLBACK),
}
"""The optimized integrations that run, with the patterns of each."""

Served = Callable[[str], bool]
"""Whether the twin serves what an `aws-sdk` resource calls a service."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: `location` is a path in the document, such as `/States/A/Next`."""

    code: str
    message: str
    location: str


def diagnose(definition: str, served: Served) -> Iterator[Diagnostic]:
    """The problems of a definition; "NOT_IMPLEMENTED" is the code of what AWS runs and the twin does not."""
    try:
        document = json.loads(definition)
    except (ValueError, RecursionError) as error:
        yield Diagnostic("INVALID_JSON_DESCRIPTION", f"The definition is not JSON: {error}", "")
        return
    if not isinstance(document, dict):
        yield Diagnostic("INVALID_JSON_DESCRIPTION", "The definition is not a JSON object", "")
        return
    language = document.get("QueryLanguage", "JSONPath")
    if language not in ("JSONPath", "JSONata"):
        yield Diagnostic(
            "SCHEMA_VALIDATION_FAILED", f"'{language}' is not a query language: JSONPath or JSONata", "/QueryLanguage"
        )
        return
    yield from _machine(document, "", served, language)


def _machine(machine: Mapping[str, Any], place: str, served: Served, language: str) -> Iterator[Diagnostic]:
    states, start = machine.get("States"), machine.get("StartAt")
    if not isinstance(states, dict) or not states:
        yield Diagnostic(
            "SCHEMA_VALIDATION_FAILED", "The field 'States' must hold at least one state", f"{place}/States"
        )
        return
    if not isinstance(start, str):
        yield Diagnostic("SCHEMA_VALIDATION_FAILED", "The field 'StartAt' is required", f"{place}/StartAt")
    elif start not in states:
        yield _missing_target(start, "StartAt", f"{place}/StartAt")
    for name, state in states.items():
        where = f"{place}/States/{name}"
        if not isinstance(state, dict) or state.get("Type") not in STATES:
            given = state.get("Type") if isinstance(state, dict) else state
            yield Diagnostic("SCHEMA_VALIDATION_FAILED", f"'{given}' is not the type of a state", f"{where}/Type")
            continue
        for code, message, field in field_problems(state, language):
            yield Diagnostic(code, message, f"{where}/{field}")
        yield from _transitions(state, states, where)
        yield from _inside(state, where, served, language)
    yield from _unreachable(states, start, place)


def _unreachable(states: Mapping[str, Any], start: object, place: str) -> Iterator[Diagnostic]:
    if start not in states or not all(isinstance(state, dict) for state in states.values()):
        return
    reached, following = {str(start)}, [str(start)]
    while following:
        for name in _targets(states[following.pop()]):
            if name in states and name not in reached:
                reached.add(name)
                following.append(name)
    for name in states:
        if name not in reached:
            yield Diagnostic("MISSING_TRANSITION_TARGET", f'State "{name}" is not reachable.', f"{place}/States/{name}")


def _targets(state: Mapping[str, Any]) -> Iterator[str]:
    """The states that may follow."""
    for member in ("Next", "Default"):
        if isinstance(state.get(member), str):
            yield state[member]
    for member in ("Choices", "Catch"):
        for each in state[member] if isinstance(state.get(member), list) else []:
            if isinstance(each, dict) and isinstance(each.get("Next"), str):
                yield each["Next"]


def _transitions(state: Mapping[str, Any], states: Mapping[str, Any], where: str) -> Iterator[Diagnostic]:
    kind = state["Type"]
    following = [("Next", state["Next"], f"{where}/Next")] if "Next" in state else []
    if kind == "Choice":
        if not isinstance(state.get("Choices"), list) or not state["Choices"]:
            yield Diagnostic("SCHEMA_VALIDATION_FAILED", "The field 'Choices' must not be empty", f"{where}/Choices")
            return
        following = [
            ("Next", rule.get("Next"), f"{where}/Choices[{number}]/Next")
            for number, rule in enumerate(state["Choices"])
            if isinstance(rule, dict)
        ]
        if "Default" in state:
            following.append(("Default", state["Default"], f"{where}/Default"))
    elif kind not in _ENDS and ("Next" in state) == (state.get("End") is True):
        yield Diagnostic("SCHEMA_VALIDATION_FAILED", "A state has either 'Next' or 'End': true", where)
    catchers = state.get("Catch")
    for number, catcher in enumerate(catchers if isinstance(catchers, list) else []):
        if isinstance(catcher, dict):
            following.append(("Next", catcher.get("Next"), f"{where}/Catch[{number}]/Next"))
    for member, target, place in following:
        if target not in states:
            yield _missing_target(target, member, place)


def _inside(state: Mapping[str, Any], where: str, served: Served, language: str) -> Iterator[Diagnostic]:
    kind = state["Type"]
    if kind == "Task":
        yield from _resource(state.get("Resource"), f"{where}/Resource", served)
    elif kind == "Parallel":
        branches = state.get("Branches")
        if not isinstance(branches, list) or not branches:
            yield Diagnostic("SCHEMA_VALIDATION_FAILED", "The field 'Branches' is required", f"{where}/Branches")
            return
        for number, branch in enumerate(branches):
            yield from _machine(
                branch if isinstance(branch, dict) else {}, f"{where}/Branches[{number}]", served, language
            )
    elif kind == "Map":
        member = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
        inner = state.get(member)
        yield from _machine(inner if isinstance(inner, dict) else {}, f"{where}/{member}", served, language)


def _resource(resource: object, where: str, served: Served) -> Iterator[Diagnostic]:
    if not isinstance(resource, str) or not resource.startswith("arn:"):
        yield Diagnostic("SCHEMA_VALIDATION_FAILED", "The field 'Resource' must be an ARN", where)
    elif resource.startswith(_SDK):
        service = resource.removeprefix(_SDK).partition(":")[0]
        if not served(service):
            yield _not_run(resource, where)
    elif resource.startswith(_SERVICE):
        name = resource.removeprefix(_SERVICE)
        if not any(name == f"{base}{pattern}" for base, patterns in INTEGRATIONS.items() for pattern in patterns):
            yield _not_run(resource, where)


def _missing_target(target: object, member: str, where: str) -> Diagnostic:
    return Diagnostic("MISSING_TRANSITION_TARGET", f"Missing '{member}' target: {target}", where)


def _not_run(resource: str, where: str) -> Diagnostic:
    return Diagnostic("NOT_IMPLEMENTED", f"trainworks does not run {resource}; see docs/reference/fidelity.md", where)
