"""What Step Functions refuses of requests that are valid by its model.

Stock stores any definition and any input, accepts any name, and refuses a second start under one name even if the input
is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from trainworks.twin.emulator.step_functions.machine_definitions import diagnose
from trainworks.twin.ports import ApiError

Served = Callable[[str], bool]

_BAD_NAME = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")
_MAX_DIAGNOSTICS = 100


def install(stepfunctions: Any, served: Served) -> None:
    """Step Functions was loaded."""
    requests = _Requests(stepfunctions, served)
    for name in ("create_state_machine", "update_state_machine", "delete_state_machine", "start_execution",
                 "start_sync_execution", "list_activities", "create_activity", "test_state"):  # fmt: skip
        stock = getattr(stepfunctions, f"_{name}")
        setattr(stepfunctions, f"_{name}", _answered(stepfunctions, stock, getattr(requests, name)))
    stepfunctions._validate_state_machine_definition = requests.validate


def _answered(module: Any, stock: Callable[..., Any], check: Callable[..., Any]) -> Callable[..., Any]:
    def handle(data: dict[str, Any]) -> Any:
        try:
            return check(stock, data)
        except ApiError as error:
            return module.error_response_json(error.code, error.message, error.status)

    return handle


def _object(text: str, code: str, member: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(code, f"The {member} is no JSON: {str(error)[:200]}") from error
    if not isinstance(read, dict):
        raise ApiError(code, f"The {member} is no JSON object.")
    return read


class _Requests:
    """Checks before ministack's handlers."""

    def __init__(self, module: Any, served: Served) -> None:
        self._module = module
        self._served = served

    def create_state_machine(self, stock: Callable[..., Any], data: dict[str, Any]) -> Any:
        check_name(data["name"])
        self._check_definition(data["definition"])
        return stock(data)

    def update_state_machine(self, stock: Callable[..., Any], data: dict[str, Any]) -> Any:
        if "definition" in data:
            self._check_definition(data["definition"])
        return stock(data)

    def test_state(self, stock: Callable[..., Any], data: dict[str, Any]) -> Any:
        """One state, or a whole machine and the name of one: stock reads the documents without a look at what they
        are."""
        definition = _object(data["definition"], "InvalidDefinition", "definition")
        if "States" in definition:
            self._check_definition(data["definition"])
        elif not isinstance(definition.get("Type"), str):
            raise ApiError(
                "InvalidDefinition", "Invalid State Machine Definition: a state has a Type, which is a text."
            )
        check_input(data.get("input", "{}"))
        if data.get("context"):
            _object(data["context"], "InvalidExecutionInput", "context")
        return stock(data)

    def create_activity(self, stock: Callable[..., Any], data: dict[str, Any]) -> Any:
        check_name(data["name"])
        return stock(data)

    def delete_state_machine(self, stock: Callable[..., Any], data: dict[str, Any]) -> Any:
        """One that is not there is deleted, as on AWS."""
        if data["stateMachineArn"] not in self._module._state_machines:
            return self._module.json_response({})
        return stock(data)

    def start_execution(self, stock: Callable[..., Any], data: dict[str, Any]) -> Any:
        """Started again under the same name with the same input while it runs, it is the same execution."""
        check_input(data.get("input", "{}"))
        if "name" in data:
            check_name(data["name"])
            running = self._running(data)
            if running is not None and running["input"] == data.get("input", "{}"):
                told = {"executionArn": running["executionArn"], "startDate": running["startDate"]}
                return self._module.json_response(told)
        return stock(data)

    def start_sync_execution(self, stock: Callable[..., Any], data: dict[str, Any]) -> Any:
        check_input(data.get("input", "{}"))
        return stock(data)

    def list_activities(self, stock: Callable[..., Any], data: dict[str, Any]) -> Any:
        status, headers, body = stock(data)
        listed = json.loads(body)["activities"]
        token = str(data.get("nextToken") or "0")
        if not token.isdecimal():
            raise ApiError("InvalidToken", f"Invalid Token: '{token}'")
        start, limit = int(token), int(data.get("maxResults") or 100)
        document: dict[str, Any] = {"activities": listed[start : start + limit]}
        if start + limit < len(listed):
            document["nextToken"] = str(start + limit)
        return status, headers, json.dumps(document).encode()

    def validate(self, data: Mapping[str, Any]) -> Any:
        found = list(diagnose(data["definition"], self._served))
        limit = int(data.get("maxResults") or _MAX_DIAGNOSTICS)
        diagnostics = [
            {"severity": "ERROR", "code": each.code, "message": each.message, "location": each.location}
            for each in found[:limit]
        ]
        result = {"result": "FAIL" if found else "OK", "diagnostics": diagnostics, "truncated": len(found) > limit}
        return self._module.json_response(result)

    def _check_definition(self, definition: str) -> None:
        found = list(diagnose(definition, self._served))
        missing = next((each for each in found if each.code == "NOT_IMPLEMENTED"), None)
        if missing is not None:
            raise ApiError("NotImplemented", f"{missing.message} ({missing.location})", 501)
        if found:
            told = ", ".join(f"'{each.code}: {each.message} at {each.location}'" for each in found[:20])
            raise ApiError("InvalidDefinition", f"Invalid State Machine Definition: {told}")

    def _running(self, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
        machine = self._module._resolve_state_machine_arn(data["stateMachineArn"].partition("#")[0])
        if machine is None:
            return None
        parts = str(machine).split(":")
        arn = ":".join([*parts[:5], "execution", parts[6], data["name"]])
        found: Mapping[str, Any] | None = self._module._executions.get(arn)
        return found if found is not None and found["status"] == "RUNNING" else None


def check_name(name: str) -> None:
    """Raise `ApiError` `InvalidName`; after the names that `CreateStateMachine` and `StartExecution` take."""
    if not 1 <= len(name) <= 80 or _BAD_NAME.search(name):
        raise ApiError("InvalidName", f"Invalid Name: '{name}'")


def check_input(text: str) -> None:
    """Raise `ApiError` `InvalidExecutionInput` for what is not JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error
