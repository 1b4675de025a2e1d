"""What Step Functions refuses of requests that are valid by its model, and branches in an execution's history.

Stock stores any definition and any input, knows no name that is bad, starts nothing twice under one name even where the
input is the same, and writes down only what happens outside of branches and iterations.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from trainworks.twin.emulator.machine_definitions import diagnose
from trainworks.twin.ports import ApiError

Answer = tuple[int, dict[str, str], bytes]
Served = Callable[[str], bool]

_BAD_NAME = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")
_MAX_DIAGNOSTICS = 100
_PLAIN = ("Pass", "Choice", "Wait")


def install(stepfunctions: Any, served: Served) -> None:
    """Step Functions was loaded."""
    requests = _Requests(stepfunctions, served)
    for name in ("create_state_machine", "update_state_machine", "delete_state_machine", "start_execution",
                 "start_sync_execution", "list_activities", "create_activity"):  # fmt: skip
        stock = getattr(stepfunctions, f"_{name}")
        setattr(stepfunctions, f"_{name}", _answered(stepfunctions, stock, getattr(requests, name)))
    stepfunctions._validate_state_machine_definition = requests.validate
    _Branches(stepfunctions).install()


def _answered(module: Any, stock: Callable[..., Any], check: Callable[..., Any]) -> Callable[..., Any]:
    def handle(data: dict[str, Any]) -> Any:
        try:
            return check(stock, data)
        except ApiError as error:
            return module.error_response_json(error.code, error.message, error.status)

    return handle


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
        if not token.isdigit():
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
    """Raise `ApiError` `InvalidExecutionInput` for what is no JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error


class _Branches:
    """Runs the states of a branch or an iteration as those outside: written down, and ended when the execution is."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._lock = threading.Lock()

    def install(self) -> None:
        stock_event, stock_parallel = self._module._add_event, self._module._run_parallel_branches

        def add_event(execution: dict[str, Any], event_type: str, details: Any = None) -> Any:
            # Branches write at the same time, and an event's number is how many there are.
            with self._lock:
                return stock_event(execution, event_type, details)

        def run_parallel(state_def: Any, raw_input: Any, execution: Any, ctx: Any) -> Any:
            self._module._add_event(execution, "ParallelStateStarted")
            try:
                found = stock_parallel(state_def, raw_input, execution, ctx)
            except Exception:
                self._module._add_event(execution, "ParallelStateFailed")
                raise
            self._module._add_event(execution, "ParallelStateSucceeded")
            return found

        self._module._add_event = add_event
        self._module._run_parallel_branches = run_parallel
        self._module._run_sub_machine = self.run

    def run(self, states: Mapping[str, Any], start_at: str, given: Any, execution: Any, ctx: Any) -> Any:
        """The output of the branch that starts at `start_at`."""
        name: str | None = start_at
        current = copy.deepcopy(given)
        # The state that is entered is each branch's own.
        ctx = {**ctx}
        while name:
            if execution.get("status", "RUNNING") != "RUNNING":
                raise self._module._ExecutionError("States.TaskFailed", "The execution was stopped")
            state = states[name]
            kind = state["Type"]
            ctx["State"] = {"Name": name, "EnteredTime": self._module.now_iso(), "RetryCount": 0}
            self._event(execution, f"{kind}StateEntered", "stateEntered", name, "input", current)
            current, following = self._step(kind, state, current, execution, ctx)
            self._event(execution, f"{kind}StateExited", "stateExited", name, "output", current)
            name = following
        return current

    def _step(self, kind: str, state: Any, current: Any, execution: Any, ctx: Any) -> Any:
        module = self._module
        if kind == "Succeed":
            return module._apply_output_path(state, module._apply_input_path(state, current, ctx), ctx), None
        if kind == "Fail":
            raise module._ExecutionError(*module._fail_state_error(state, current, ctx))
        handler = getattr(module, f"_execute_{kind.lower()}")
        return handler(state, current, ctx) if kind in _PLAIN else handler(state, current, execution, ctx)

    def _event(  # noqa: PLR0917 - an event's parts
        self, execution: Any, event_type: str, prefix: str, name: str, member: str, value: Any
    ) -> None:
        details = {f"{prefix}EventDetails": {"name": name, member: json.dumps(value)}}
        self._module._add_event(execution, event_type, details)
