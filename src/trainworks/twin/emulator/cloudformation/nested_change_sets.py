"""`IncludeNestedStacks`: a change set of an update describes the changes inside nested stacks, too.

As on AWS each nested stack that is modified gets a change set of its own, which the parent's change refers to by
`ChangeSetId`; they are created, executed and deleted with the root's. Stock ignores the parameter. A nested stack that
is added has no change set here: its template says it all.
"""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Callable
from types import ModuleType
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudformation.stacks import STACK_TYPE
from trainworks.twin.emulator.stock import StockResponse

Parameters = dict[str, Any]
Handler = Callable[[Parameters], StockResponse]

_CREATED_ID = re.compile(rb"<Id>([^<]+)</Id>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")
# What AWS writes for a value that only the operation itself brings about.
_UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"


class NestedChangeSets:
    """Wraps the change set operations of ministack's CloudFormation."""

    def __init__(self) -> None:
        self._cfn: Any = None
        self._stock: dict[str, Handler] = {}

    def install(self, cloudformation: ModuleType) -> None:
        """Put the wrappers in place of the stock handlers."""
        self._cfn = cloudformation
        wrappers = {
            "CreateChangeSet": self._create,
            "DescribeChangeSet": self._describe,
            "ExecuteChangeSet": self._execute,
            "DeleteChangeSet": self._delete,
        }
        self._stock = {action: self._cfn._ACTION_HANDLERS[action] for action in wrappers}
        self._cfn._ACTION_HANDLERS.update(wrappers)

    def _create(self, params: Parameters) -> StockResponse:
        response = self._stock["CreateChangeSet"](params)
        created = _CREATED_ID.search(response[2])
        if response[0] != 200 or created is None or _first(params, "IncludeNestedStacks") != "true":
            return response
        change_set = self._cfn._change_sets[created[1].decode()]
        change_set["IncludeNestedStacks"] = True
        change_set.setdefault("RootChangeSetId", change_set["ChangeSetId"])
        if change_set["ChangeSetType"] == "UPDATE" and change_set["Status"] == "CREATE_COMPLETE":
            self._create_nested(change_set, params)
        return response

    def _create_nested(self, parent: dict[str, Any], params: Parameters) -> None:
        for change in parent["Changes"]:
            resource = change["ResourceChange"]
            if resource["ResourceType"] != STACK_TYPE or resource["Action"] != "Modify":
                continue
            properties = self._properties(parent, resource["LogicalResourceId"])
            request = _request(params, properties, resource)
            status, _, body = self._create(request)
            created = _CREATED_ID.search(body)
            if status != 200 or created is None:
                message = _MESSAGE.search(body)
                reason = message[1].decode() if message else "Currently in FAILED."
                name = request["ChangeSetName"][0]
                parent |= {
                    "Status": "FAILED",
                    "ExecutionStatus": "UNAVAILABLE",
                    "StatusReason": f"Nested change set {name} was not successfully created: {reason}",
                }
                return
            resource["ChangeSetId"] = created[1].decode()
            nested = self._cfn._change_sets[resource["ChangeSetId"]]
            nested["ParentChangeSetId"] = parent["ChangeSetId"]
            self._adopt(nested, parent["RootChangeSetId"])

    def _adopt(self, change_set: dict[str, Any], root_id: str) -> None:
        change_set["RootChangeSetId"] = root_id
        for nested in self._nested(change_set):
            self._adopt(nested, root_id)

    def _properties(self, parent: dict[str, Any], logical_id: str) -> dict[str, Any]:
        """The nested stack's properties after the change, as far as they are known before it."""
        language = engine.module("services.cloudformation.engine")
        stack = self._cfn._stacks[parent["StackName"]]
        declared = parent["_template"]["Resources"][logical_id].get("Properties", {})
        conditions = language._evaluate_conditions(parent["_template"], parent["_resolved_params"])

        def resolve(value: Any) -> Any:
            return language._resolve_refs(
                copy.deepcopy(value),
                stack.get("_resources", {}),
                parent["_resolved_params"],
                conditions,
                parent["_template"].get("Mappings", {}),
                stack["StackName"],
                stack["StackId"],
            )

        known = {name: resolve(value) for name, value in declared.items() if name != "Parameters"}
        known["Parameters"] = {
            name: _resolved_or_unknown(resolve, value) for name, value in (declared.get("Parameters") or {}).items()
        }
        return known

    def _describe(self, params: Parameters) -> StockResponse:
        status, headers, body = self._stock["DescribeChangeSet"](params)
        change_set = self._find(params)
        if status != 200 or change_set is None or not change_set.get("IncludeNestedStacks"):
            return status, headers, body
        text = body.decode()
        for change in change_set["Changes"]:
            resource = change["ResourceChange"]
            if "ChangeSetId" in resource:
                named = f"<LogicalResourceId>{resource['LogicalResourceId']}</LogicalResourceId>"
                text = text.replace(named, f"{named}<ChangeSetId>{resource['ChangeSetId']}</ChangeSetId>")
        family = "<IncludeNestedStacks>true</IncludeNestedStacks>"
        for member in ("ParentChangeSetId", "RootChangeSetId"):
            if member in change_set:
                family += f"<{member}>{change_set[member]}</{member}>"
        return status, headers, text.replace("<Changes>", f"{family}<Changes>", 1).encode()

    def _execute(self, params: Parameters) -> StockResponse:
        change_set = self._find(params)
        if change_set is not None and "ParentChangeSetId" in change_set:
            error: StockResponse = engine.module("services.cloudformation.helpers")._error(
                "ValidationError",
                f"ChangeSet [{change_set['ChangeSetName']}] is nested: execute its root change set "
                f"{change_set['RootChangeSetId']}",
            )
            return error
        response = self._stock["ExecuteChangeSet"](params)
        if response[0] == 200 and change_set is not None:
            self._forget_nested(change_set)
        return response

    def _delete(self, params: Parameters) -> StockResponse:
        change_set = self._find(params)
        if change_set is not None:
            self._forget_nested(change_set)
        return self._stock["DeleteChangeSet"](params)

    def _forget_nested(self, change_set: dict[str, Any]) -> None:
        for nested in self._nested(change_set):
            self._forget_nested(nested)
            self._cfn._change_sets.pop(nested["ChangeSetId"], None)

    def _nested(self, change_set: dict[str, Any]) -> list[dict[str, Any]]:
        ids = [change["ResourceChange"].get("ChangeSetId") for change in change_set["Changes"]]
        return [self._cfn._change_sets[nested] for nested in ids if nested in self._cfn._change_sets]

    def _find(self, params: Parameters) -> dict[str, Any] | None:
        changesets = engine.module("services.cloudformation.changesets")
        stack_name = _first(params, "StackName")
        if stack_name.startswith("arn:"):
            stack_name = stack_name.split("/")[1]
        _, change_set = changesets._find_change_set(_first(params, "ChangeSetName"), stack_name)
        found: dict[str, Any] | None = change_set
        return found


def _request(params: Parameters, properties: dict[str, Any], resource: dict[str, Any]) -> Parameters:
    """CreateChangeSet for one nested stack, with the capabilities that the root's request acknowledged."""
    name = f"{_first(params, 'ChangeSetName')[:60]}-{resource['LogicalResourceId'][:40]}-{secrets.token_hex(6)}"
    request: Parameters = {key: value for key, value in params.items() if key.startswith("Capabilities")}
    request |= {
        "Action": ["CreateChangeSet"],
        "StackName": [resource["PhysicalResourceId"]],
        "ChangeSetName": [name],
        "ChangeSetType": ["UPDATE"],
        "IncludeNestedStacks": ["true"],
        "TemplateURL": [properties.get("TemplateURL", "")],
    }
    for index, (key, value) in enumerate(properties["Parameters"].items(), start=1):
        request[f"Parameters.member.{index}.ParameterKey"] = [key]
        request[f"Parameters.member.{index}.ParameterValue"] = [value if isinstance(value, str) else str(value)]
    return request


def _resolved_or_unknown(resolve: Callable[[Any], Any], value: Any) -> Any:
    try:
        return resolve(value)
    except (ValueError, KeyError):
        # An output that the nested stack which has it will only gain with this update.
        return _UNKNOWN


def _first(params: Parameters, name: str) -> str:
    value = params.get(name, "")
    return str(value[0]) if isinstance(value, list) and value else str(value or "")
