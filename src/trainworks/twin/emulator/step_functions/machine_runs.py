"""How executions run: branches and iterations in the history, limits of Step Functions, time, and pauses between tries.

Stock writes down only what happens outside of branches and iterations, knows no limit of size, number or time, sleeps
through a stop, and retries without `MaxDelaySeconds` and `JitterStrategy`. After "Service quotas" and "Error handling"
(Step Functions Developer Guide).
"""

from __future__ import annotations

import contextvars
import copy
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

MOST_PAYLOAD_BYTES = 262_144
MOST_EVENTS = 25_000
_MOST_ITERATIONS_AT_ONCE = 40
_PLAIN = ("Pass", "Choice", "Wait")
_MAP = "_iteration_of"
_WATCH_SECONDS = 0.5


def install(stepfunctions: Any) -> None:
    """Step Functions was loaded."""
    _Runs(stepfunctions).install()


class _Runs:
    """Replaces parts of ministack's interpreter."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._execution: contextvars.ContextVar[Any] = contextvars.ContextVar("running execution", default=None)

    def install(self) -> None:
        module = self._module
        self._stock_event, self._stock_run, self._stock_fail = (
            module._add_event, module._run_execution, module._fail_execution,
        )  # fmt: skip
        self._stock_parallel, self._stock_items = module._run_parallel_branches, module._run_map_items
        self._stock_distributed, self._stock_retrier = module._run_distributed_map, module._find_matching_retrier
        module._add_event = self.add_event
        module._run_execution = self.run_execution
        module._fail_execution = self.fail_execution
        module._scaled_sleep = self.sleep
        module._run_parallel_branches = self.run_parallel
        module._run_map_items = self.run_map
        module._run_distributed_map = self.run_distributed
        module._find_matching_retrier = self.matching_retrier
        module._run_sub_machine = self.run
        self._stock_callback = module._invoke_with_callback
        module._invoke_with_callback = self.call_back

    # -- limits -----------------------------------------------------------------------------------------------

    def add_event(self, execution: dict[str, Any], event_type: str, details: Any = None) -> Any:
        """Branches write at the same time, and an event's number is how many there are."""
        if not event_type.startswith("Execution"):
            self._check_limits(execution, details or {})
        with self._lock:
            return self._stock_event(execution, event_type, details)

    def _check_limits(self, execution: Mapping[str, Any], details: Mapping[str, Any]) -> None:
        left = details.get("stateExitedEventDetails") or {}
        if _bytes(left.get("output", "")) > MOST_PAYLOAD_BYTES:
            raise self._error(
                "States.DataLimitExceeded",
                f"The state/task '{left.get('name')}' returned a result with a size exceeding the maximum number of "
                "bytes service limit.",
            )
        if len(execution["events"]) >= MOST_EVENTS - 1 and not self._is_express(execution):
            raise self._error(
                "States.Runtime", f"The execution reached the maximum number of history events ({MOST_EVENTS})."
            )

    def _is_express(self, execution: Mapping[str, Any]) -> bool:
        machine = self._module._state_machines.get(execution.get("stateMachineArn")) or {}
        return bool(machine.get("type") == "EXPRESS")

    # -- time -------------------------------------------------------------------------------------------------

    def run_execution(self, execution_arn: str) -> None:
        """An execution of a machine that has `TimeoutSeconds` is TIMED_OUT when they are over."""
        execution = self._module._executions.get(execution_arn)
        token = self._execution.set(execution)
        timer = self._timer(execution)
        try:
            self._stock_run(execution_arn)
        finally:
            if timer is not None:
                timer.cancel()
            self._execution.reset(token)

    def _timer(self, execution: Any) -> threading.Timer | None:
        machine = self._module._state_machines.get(execution["stateMachineArn"]) if execution else None
        seconds = _definition(machine).get("TimeoutSeconds")
        if not isinstance(seconds, int | float):
            return None
        context = contextvars.copy_context()
        timer = threading.Timer(float(seconds), lambda: context.run(self._time_out, execution))
        timer.daemon = True
        timer.start()
        return timer

    def _time_out(self, execution: dict[str, Any]) -> None:
        if execution["status"] != "RUNNING":
            return
        execution |= {"status": "TIMED_OUT", "error": "States.Timeout", "stopDate": self._module.now_iso()}
        self._module._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
        self._module._emit_execution_status_event(execution)

    def fail_execution(self, execution: dict[str, Any], error: str, cause: str) -> None:
        """What was stopped or timed out meanwhile stays so."""
        if execution["status"] == "RUNNING":
            self._stock_fail(execution, error, cause)

    def sleep(self, seconds: float) -> None:
        """Wait, and no longer than the execution runs."""
        execution = self._execution.get()
        deadline = time.monotonic() + seconds * self._module._SFN_WAIT_SCALE
        while (left := deadline - time.monotonic()) > 0:
            if execution is not None and execution.get("status", "RUNNING") != "RUNNING":
                raise self._error("States.TaskFailed", "The execution was stopped")
            time.sleep(min(left, _WATCH_SECONDS))

    def call_back(self, resource: str, given: Any, token: str, state: Mapping[str, Any]) -> Any:
        """Wait for a task token, as long as the execution runs and heartbeats come."""
        done = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(token, state.get("HeartbeatSeconds"), self._execution.get(), done), daemon=True
        )
        watcher.start()
        try:
            return self._stock_callback(resource, given, token, state)
        finally:
            done.set()

    def _watch(self, token: str, seconds: float | None, execution: Any, done: threading.Event) -> None:
        alive, heartbeat = time.monotonic(), None
        while not done.wait(_WATCH_SECONDS if seconds is None else min(_WATCH_SECONDS, seconds)):
            task = self._module._task_tokens.get(token)
            if task is None:
                continue  # not yet, or answered just now
            if task.get("heartbeat") != heartbeat:
                alive, heartbeat = time.monotonic(), task["heartbeat"]
            if execution is not None and execution.get("status", "RUNNING") != "RUNNING":
                error = {"Error": "States.TaskFailed", "Cause": "The execution was stopped"}
            elif seconds is not None and time.monotonic() - alive > seconds:
                error = {"Error": "States.HeartbeatTimeout", "Cause": f"No heartbeat came within {seconds} seconds"}
            else:
                continue
            task["error"] = error
            task["event"].set()
            return

    def matching_retrier(self, retriers: Any, error: str, counts: Mapping[int, int]) -> Any:
        """A retrier whose interval is the pause before this very try."""
        retrier, index = self._stock_retrier(retriers, error, counts)
        if retrier is None or self._execution.get() is None:
            return retrier, index
        pause = pause_before(retrier, counts.get(index, 0), random.random)
        return {**retrier, "IntervalSeconds": pause, "BackoffRate": 1.0}, index

    # -- branches and iterations ------------------------------------------------------------------------------

    def run_parallel(self, state: Any, raw_input: Any, execution: Any, ctx: Any) -> Any:
        return self._framed("ParallelState", execution, lambda: self._stock_parallel(state, raw_input, execution, ctx))

    def run_map(self, state: Any, raw_input: Any, execution: Any, ctx: Any) -> Any:
        processor = state.get("Iterator") or state.get("ItemProcessor", {})
        if (processor.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED":
            return self._stock_items(state, raw_input, execution, ctx)
        given = state.get("MaxConcurrency", 0)
        if isinstance(given, int | float):
            state = {**state, "MaxConcurrency": min(int(given) or _MOST_ITERATIONS_AT_ONCE, _MOST_ITERATIONS_AT_ONCE)}
        inner = {**ctx, _MAP: ctx["State"]["Name"]}
        details = {"mapStateStartedEventDetails": {"length": self._length(state, raw_input, ctx)}}
        return self._framed(
            "MapState", execution, lambda: self._stock_items(state, raw_input, execution, inner), details
        )

    def run_distributed(self, state: Any, raw_input: Any, *arguments: Any) -> Any:
        """The map run stands in the history of the execution that began it."""
        execution = arguments[2]
        before = set(self._module._map_runs)
        try:
            found = self._stock_distributed(state, raw_input, *arguments)
        except Exception:
            self._map_run_events(execution, before, "MapRunFailed")
            raise
        self._map_run_events(execution, before, "MapRunSucceeded")
        return found

    def _map_run_events(self, execution: Any, before: set[str], end: str) -> None:
        for arn in [each for each in list(self._module._map_runs) if each not in before]:
            run = self._module._map_runs[arn]
            if run["executionArn"] == execution["executionArn"]:
                # An event is on disk a moment later and cannot be changed there.
                details = {"timestamp": run["startDate"], "mapRunStartedEventDetails": {"mapRunArn": arn}}
                self._module._add_event(execution, "MapRunStarted", details)
                self._module._add_event(execution, end)

    def _framed(self, name: str, execution: Any, work: Callable[[], Any], details: Any = None) -> Any:
        self._module._add_event(execution, f"{name}Started", details)
        try:
            found = work()
        except Exception:
            self._module._add_event(execution, f"{name}Failed")
            raise
        self._module._add_event(execution, f"{name}Succeeded")
        return found

    def _length(self, state: Any, raw_input: Any, ctx: Any) -> int:
        module = self._module
        if module._state_query_language(state, ctx) == "JSONata" and "Items" in state:
            items = module._jsonata_state_field(state, "Items", "array", raw_input, ctx)
        else:
            effective = module._apply_input_path(state, raw_input, ctx)
            items = module._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective, ctx)
        return len(items) if isinstance(items, list) else 1

    def run(self, states: Mapping[str, Any], start_at: str, given: Any, execution: Any, ctx: Any) -> Any:
        """The output of the branch or iteration that starts at `start_at`."""
        # The state that is entered is each branch's own, and branches of an iteration are none.
        ctx = {**ctx}
        of_map = ctx.pop(_MAP, None)
        if of_map is None:
            return self._branch(states, start_at, given, execution, ctx)
        where = {"name": of_map, "index": ctx["Map"]["Item"]["Index"]}
        self._iteration(execution, "Started", where)
        try:
            output = self._branch(states, start_at, given, execution, ctx)
        except Exception:
            ended = execution.get("status", "RUNNING") != "RUNNING"
            self._iteration(execution, "Aborted" if ended else "Failed", where)
            raise
        self._iteration(execution, "Succeeded", where)
        return output

    def _iteration(self, execution: Any, what: str, where: Mapping[str, Any]) -> None:
        self._module._add_event(execution, f"MapIteration{what}", {f"mapIteration{what}EventDetails": dict(where)})

    def _branch(self, states: Mapping[str, Any], start_at: str, given: Any, execution: Any, ctx: Any) -> Any:
        name: str | None = start_at
        current = copy.deepcopy(given)
        while name:
            if execution.get("status", "RUNNING") != "RUNNING":
                raise self._error("States.TaskFailed", "The execution was stopped")
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

    def _error(self, error: str, cause: str) -> Exception:
        raised: Exception = self._module._ExecutionError(error, cause)
        return raised


def pause_before(retrier: Mapping[str, Any], tries: int, chance: Callable[[], float]) -> float:
    """Seconds before the next try, when there were `tries` retries already; `chance` gives numbers from 0 to 1."""
    pause = float(retrier.get("IntervalSeconds", 1)) * float(retrier.get("BackoffRate", 2.0)) ** min(tries, 1000)
    pause = min(pause, float(retrier.get("MaxDelaySeconds", pause)))
    return pause * chance() if retrier.get("JitterStrategy") == "FULL" else pause


def _bytes(document: str) -> int:
    """The size of a document in UTF-8; ministack writes every other character as six of ASCII."""
    if len(document) <= MOST_PAYLOAD_BYTES:
        return len(document)
    return len(json.dumps(json.loads(document), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _definition(machine: Mapping[str, Any] | None) -> Mapping[str, Any]:
    try:
        found = json.loads((machine or {}).get("definition") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
