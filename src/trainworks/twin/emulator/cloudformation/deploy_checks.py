"""What CloudFormation finds wrong once a request is accepted, before it makes anything: properties, exports, imports.

An operation whose template does not hold ends in a roll-back that has nothing to undo, and a change set ends `FAILED`.
Stock looks at a few enumerations and at bucket names there; ours looks at every property, by AWS's schemas.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from itertools import islice
from typing import Any

from trainworks.assembly.property_flaws import property_flaws
from trainworks.twin.emulator import engine

_STACK_TYPE = "AWS::CloudFormation::Stack"
_MAX_SHOWN = 5
_CREATED_ID = re.compile(rb"<Id>([^<]+)</Id>")
_EARLY = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early "
    "Validation errors, use the DescribeEvents API for detailed failure information."
)

# (logical id, type, name of the validation, path, reason), as stock keeps them
Problem = tuple[str, str, str, str, str]

deployed: ContextVar[Mapping[str, Any]] = ContextVar("the template of the operation that runs")


def install() -> None:
    """CloudFormation was loaded: look at more before an operation begins, and say what was found."""
    stacks = engine.module("services.cloudformation.stacks")
    stacks._validation_errors = _validation(stacks._validation_errors)
    stacks._fail_property_validation = _told(stacks._fail_property_validation)
    stacks._resolve_stack_outputs = _exports_checked(stacks._resolve_stack_outputs)
    handlers = engine.module("services.cloudformation.handlers")
    create = handlers_table()["CreateChangeSet"]
    handlers_table()["CreateChangeSet"] = _change_set(create)
    handlers._delete_stack = _deletion(handlers._delete_stack)
    handlers_table()["DeleteStack"] = handlers._delete_stack


def handlers_table() -> dict[str, Callable[..., Any]]:
    """CloudFormation's actions by name."""
    table: dict[str, Callable[..., Any]] = engine.service("cloudformation")._ACTION_HANDLERS
    return table


# -- before anything is made ------------------------------------------------------------------------------------------


def _validation(stock: Callable[..., list[Problem]]) -> Callable[..., list[Problem]]:
    def validation_errors(  # noqa: PLR0917 - the signature that is called
        resources: Mapping[str, Any],
        ordered: list[str],
        params: Mapping[str, Any],
        conditions: Mapping[str, bool],
        mappings: Mapping[str, Any],
        stack_name: str,
        stack_id: str,
        owned_buckets: frozenset[str] = frozenset(),
    ) -> list[Problem]:
        given = (params, conditions, mappings, stack_name, stack_id)
        template = deployed.get({"Resources": resources})
        found = [*_missing_imports(template, resources, *given), *_taken_exports(template, *given)]
        if found:
            return found  # stock resolves values, and these cannot be
        declared = {"Resources": resources, "Conditions": dict.fromkeys(conditions)}
        found = [
            (flaw.resource, str(resources[flaw.resource]["Type"]), "PROPERTY_VALIDATION", flaw.path, flaw.refusal)
            for flaw in islice(property_flaws(declared, conditions.get), 100)
        ]
        return found or stock(resources, ordered, params, conditions, mappings, stack_name, stack_id, owned_buckets)

    return validation_errors


def _missing_imports(template: Mapping[str, Any], resources: Mapping[str, Any], *given: Any) -> Iterator[Problem]:
    exports = engine.service("cloudformation")._exports
    conditions = given[1]
    for logical_id, body in resources.items():
        if conditions.get(body.get("Condition", ""), True):
            for argument in _imports(body.get("Properties"), conditions):
                name = _static(argument, resources, *given)
                if isinstance(name, str) and name not in exports:
                    path = f"/Resources/{logical_id}"
                    yield logical_id, body["Type"], "IMPORT_VALIDATION", path, f"No export named {name} found"
    for output, body in _outputs(template, conditions):
        for argument in _imports(body, conditions):
            name = _static(argument, resources, *given)
            if isinstance(name, str) and name not in exports:
                yield given[3], _STACK_TYPE, "IMPORT_VALIDATION", f"/Outputs/{output}", f"No export named {name} found"


def _taken_exports(template: Mapping[str, Any], *given: Any) -> Iterator[Problem]:
    stack_name, stack_id = given[3:]
    seen: set[str] = set()
    for output, body in _outputs(template, given[1]):
        name = _static((body.get("Export") or {}).get("Name"), template["Resources"], *given)
        if isinstance(name, str):
            owner = stack_name if name in seen else exporter(name, stack_id)
            seen.add(name)
            if owner:
                reason = f"Export with name {name} is already exported by stack {owner}."
                yield stack_name, _STACK_TYPE, "EXPORT_VALIDATION", f"/Outputs/{output}/Export", reason


def _outputs(template: Mapping[str, Any], conditions: Mapping[str, bool]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, body in (template.get("Outputs") or {}).items():
        if conditions.get(body.get("Condition", ""), True):
            yield name, body


def _imports(value: Any, conditions: Mapping[str, bool]) -> Iterator[Any]:
    """The arguments of every `Fn::ImportValue` that is going to be resolved."""
    if isinstance(value, list):
        for each in value:
            yield from _imports(each, conditions)
    elif isinstance(value, Mapping):
        if len(value) == 1 and "Fn::ImportValue" in value:
            yield value["Fn::ImportValue"]
        elif len(value) == 1 and isinstance(value.get("Fn::If"), list) and len(value["Fn::If"]) == 3:
            name, then, otherwise = value["Fn::If"]
            yield from _imports(then if conditions.get(name, True) else otherwise, conditions)
        else:
            for each in value.values():
                yield from _imports(each, conditions)


def _static(raw: Any, resources: Mapping[str, Any], *given: Any) -> Any:
    """A value that is known before the deploy, else None."""
    params, conditions, mappings, stack_name, stack_id = given
    stacks = engine.module("services.cloudformation.stacks")
    if raw is None or any(True for _ in _imports(raw, conditions)):
        return None
    return stacks._static_property(copy.deepcopy(raw), resources, params, conditions, mappings, stack_name, stack_id)


def _told(stock: Callable[..., bool]) -> Callable[..., bool]:
    """The stack's event and its reason name what is wrong; stock's, as the service's, send their reader elsewhere."""

    def fail_property_validation(stack: dict[str, Any], stack_id: str, *arguments: Any, **keywords: Any) -> bool:
        if not stock(stack, stack_id, *arguments, **keywords):
            return False
        found = [each for each in stack["_operation_events"] if each["EventType"] == "VALIDATION_ERROR"]
        detail = shown([(each["ValidationPath"], each["ValidationStatusReason"]) for each in found])
        events = engine.service("cloudformation")._stack_events[stack_id]
        for number, event in events.numbered(newest_first=True):
            if event["ResourceStatusReason"].startswith("Validation failed with"):
                reason = f"{event['ResourceStatusReason']} {detail}"
                events.replace(number, event | {"ResourceStatusReason": reason})
                stack["StackStatusReason"] = reason
                break
        return True

    return fail_property_validation


def shown(found: list[tuple[str, str]]) -> str:
    """The first few problems as (place, reason), for people."""
    texts = [f"{path}: {reason}" for path, reason in found[:_MAX_SHOWN]]
    more = len(found) - _MAX_SHOWN
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


def _change_set(stock: Callable[..., Any]) -> Callable[..., Any]:
    """A change set whose operation would find something wrong has failed already."""

    def create_change_set(params: dict[str, Any]) -> Any:
        response = stock(params)
        created = _CREATED_ID.search(response[2])
        if response[0] == 200 and created is not None:
            change_set = engine.service("cloudformation")._change_sets[created[1].decode()]
            if change_set["Status"] == "CREATE_COMPLETE" and change_set["ExecutionStatus"] == "AVAILABLE":
                found = _problems_of(change_set)
                if found:
                    detail = shown([(each[3], each[4]) for each in found])
                    change_set |= {"Status": "FAILED", "ExecutionStatus": "UNAVAILABLE"}
                    change_set["StatusReason"] = f"{_EARLY} {detail}"
        return response

    return create_change_set


def _problems_of(change_set: Mapping[str, Any]) -> list[Problem]:
    cloudformation = engine.service("cloudformation")
    template, params = change_set["_template"], change_set["_resolved_params"]
    stack = cloudformation._stacks[change_set["StackName"]]
    conditions = engine.module("services.cloudformation.engine")._evaluate_conditions(template, params)
    resources = template["Resources"]
    token = deployed.set(template)
    try:
        found: list[Problem] = engine.module("services.cloudformation.stacks")._validation_errors(
            resources, list(resources), params, conditions, template.get("Mappings", {}),
            stack["StackName"], stack["StackId"], _buckets_of(stack),
        )  # fmt: skip
    finally:
        deployed.reset(token)
    return found


def _buckets_of(stack: Mapping[str, Any]) -> frozenset[str]:
    rows = stack.get("_resources", {}).values()
    return frozenset(row["PhysicalResourceId"] for row in rows if row["ResourceType"] == "AWS::S3::Bucket")


# -- exports ----------------------------------------------------------------------------------------------------------


def exporter(name: str, stack_id: str) -> str:
    """The name of another stack that exports the name, or nothing."""
    found = engine.service("cloudformation")._exports.get(name)
    return "" if found is None or found["StackId"] == stack_id else str(found["StackId"].split("/")[1])


def importers(name: str, stack_id: str) -> list[str]:
    """The stacks that import an export, in the order of their names."""
    handlers = engine.module("services.cloudformation.handlers")
    return sorted(
        other
        for other, stack in engine.service("cloudformation")._stacks.items()
        if stack["StackId"] != stack_id
        and stack["StackStatus"] not in ("DELETE_COMPLETE", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS")
        and name in handlers._imported_export_names(stack, other)
    )


def _exports_checked(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Exports in use stay as they are; a name belongs to one stack."""

    def resolve_stack_outputs(*arguments: Any) -> Any:
        stack_id = arguments[-1]
        outputs, exports = stock(*arguments)
        for name in exports:
            if owner := exporter(name, stack_id):
                raise ValueError(f"Export with name {name} is already exported by stack {owner}.")
        held = engine.service("cloudformation")._exports
        for name, export in list(held.items()):
            if export["StackId"] == stack_id and exports.get(name, {}).get("Value") != export["Value"]:
                verb = "updated" if name in exports else "deleted"
                if users := importers(name, stack_id):
                    raise ValueError(f"Export {name} cannot be {verb} as it is in use by {' and '.join(users)}")
        return outputs, exports

    return resolve_stack_outputs


def forget_exports(stack: Mapping[str, Any]) -> None:
    """An update is complete: what the stack exports no longer is free again."""
    held = engine.service("cloudformation")._exports
    names = {output.get("ExportName") for output in stack.get("Outputs", [])}
    for name, export in list(held.items()):
        if export["StackId"] == stack["StackId"] and name not in names:
            del held[name]


def _deletion(stock: Callable[..., Any]) -> Callable[..., Any]:
    """A stack whose exports are in use stays, whatever its importers' last operation came to."""

    def delete_stack(params: dict[str, Any]) -> Any:
        handlers = engine.module("services.cloudformation.handlers")
        helpers = engine.module("services.cloudformation.helpers")
        stack = handlers._resolve_stack(helpers._p(params, "StackName"))
        if stack is not None and stack["StackStatus"] != "DELETE_COMPLETE":
            for output in stack.get("Outputs", []):
                name = output.get("ExportName")
                if name and (users := importers(name, stack["StackId"])):
                    message = f"Export {name} cannot be deleted as it is in use by {' and '.join(users)}"
                    return helpers._error("ValidationError", message)
        return stock(params)

    return delete_stack
