"""In-memory stand-ins for the ports that services are built on."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from trainworks.aws.reach import Reach, Reachability
from trainworks.twin.ports import (
    ApiError,
    Caller,
    Credentials,
    InstanceInfo,
    Interfaces,
    Invocations,
    MetricDatum,
    OutputLines,
    PoolSpec,
    Runtime,
    Served,
    TaskEvent,
    TaskListener,
    TaskSpec,
    TaskState,
    Usage,
)
from trainworks.twin.store import Database

CALLER = Caller("arn:aws:iam::000000000000:user/tester", "000000000000", "us-east-1", "AKIATESTER")


@dataclass
class FakeControlPlane:
    """Allows everything but what `denied` names as (action, resource prefix)."""

    denied: list[tuple[str, str]] = field(default_factory=list)
    patterns: list[Mapping[str, object]] = field(default_factory=list)
    authorized: list[tuple[str, str, str]] = field(default_factory=list)
    contexts: list[Mapping[str, Any]] = field(default_factory=list)
    passed: list[tuple[str, str]] = field(default_factory=list)
    events: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    metrics: list[tuple[str, MetricDatum]] = field(default_factory=list)
    sessions: int = 0
    ended_sessions: list[str] = field(default_factory=list)
    broken_events: int = 0
    launch_templates: dict[str, Mapping[str, object]] = field(default_factory=dict)

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None
    ) -> None:
        self.authorized.append((caller.arn, action, resource))
        self.contexts.append(context or {})
        for denied_action, prefix in self.denied:
            if action == denied_action and resource.startswith(prefix):
                raise ApiError("AccessDeniedException", f"{caller.arn} may not {action} on {resource}", 403)

    def pass_role(self, caller: Caller, role_arn: str, service: str) -> None:
        if "missing" in role_arn:
            raise ApiError("ValidationException", f"{role_arn} does not exist")
        self.authorize(caller, "iam:PassRole", role_arn)
        self.passed.append((role_arn, service))

    def assume_for_service(  # noqa: PLR0917 - the port's
        self,
        role_arn: str,
        service: str,
        session_name: str,
        duration_seconds: int,
        source_arn: str,
        interfaces: Interfaces | None = None,
    ) -> Credentials:
        if "untrusting" in role_arn:
            raise ApiError("AccessDenied", f"{service} may not assume {role_arn}", 403)
        self.sessions += 1
        arn = f"arn:aws:sts::000000000000:assumed-role/{role_arn.rpartition('/')[2]}/{session_name}"
        caller = Caller(arn, "000000000000", "us-east-1", f"ASIA{self.sessions}")
        return Credentials(f"ASIA{self.sessions}", "secret", "token", time.time() + duration_seconds, caller)

    def end_session(self, access_key_id: str) -> None:
        self.ended_sessions.append(access_key_id)

    def put_metric_data(self, namespace: str, data: Sequence[MetricDatum], region: str) -> None:
        self.metrics.extend((namespace, datum) for datum in data)

    def put_event(self, source: str, detail_type: str, detail: Mapping[str, object], resources: Sequence[str]) -> None:
        if self.broken_events:
            self.broken_events -= 1
            raise RuntimeError("the bus is broken")
        self.events.append((source, detail_type, detail))

    def event_patterns(self, source: str, detail_type: str) -> Sequence[Mapping[str, object]]:
        return self.patterns

    def function_refusal(self, function_arn: str, service: str, source_arn: str) -> str:
        return "there is no such function"

    def invoke_function(self, caller: Caller, function_arn: str, event: Mapping[str, object]) -> None:
        raise NotImplementedError

    def subnet_exists(self, subnet_id: str) -> bool:
        return subnet_id != "subnet-missing"

    def reach(self, subnet_id: str, service: str, public_ip: bool | None) -> Reachability:
        return Reachability(Reach.YES)

    def security_group_exists(self, group_id: str) -> bool:
        return group_id != "sg-missing"

    def instance_profile_exists(self, profile: str) -> bool:
        return not profile.endswith("missing")

    def launch_template(self, reference: Mapping[str, str]) -> Mapping[str, object] | None:
        return self.launch_templates.get(reference.get("launchTemplateId", ""))

    def ecr_manifest(self, caller: Caller, image_uri: str) -> bytes | None:
        return None

    def ecr_layer(self, caller: Caller, image_uri: str, digest: str) -> bytes:
        raise NotImplementedError


@dataclass
class FakeLogs:
    """Keeps lines by group and stream, once each; refuses the groups in `denied`."""

    denied: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    lines: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    callers: list[Caller | None] = field(default_factory=list)
    offsets: dict[tuple[str, str], int] = field(default_factory=dict)
    largest_round: int = 0

    def check_group(self, caller: Caller, group: str) -> None:
        if group in self.absent:
            raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")

    def create_group(self, caller: Caller, group: str) -> None:
        self.absent.discard(group)

    def put_log_events(self, caller: Caller | None, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        self.lines.setdefault((group, stream), []).extend(message for _, message in events)

    def output_offset(self, caller: Caller | None, group: str, stream: str) -> int:
        return self.offsets.get((group, stream), 0)

    def put_output(self, outputs: Sequence[OutputLines]) -> Mapping[str, ApiError]:
        refused = {}
        self.largest_round = max(self.largest_round, sum(len(output.lines) for output in outputs))
        for output in outputs:
            key = (output.log_group, output.log_stream)
            if output.log_group in self.denied:
                refused[output.task_id] = ApiError("AccessDeniedException", "may not logs:PutLogEvents", 403)
            elif output.offset > self.offsets.get(key, 0):
                self.offsets[key] = output.offset
                self.callers.append(output.caller)
                lines = output.lines.decode().split("\n")
                assert len(lines) == output.count
                self.lines.setdefault(key, []).extend(line or " " for line in lines)
        return refused


@dataclass
class FakeGateway:
    """Keeps who answers for which endpoint; what is behind a door is ready where the door is among `ready`."""

    served: dict[str, Served] = field(default_factory=dict)
    ready: set[Path] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)

    def publish(self, endpoint_arn: str, served: Served | None) -> None:
        if served is None:
            self.served.pop(endpoint_arn, None)
        else:
            self.served[endpoint_arn] = served

    def in_flight(self, task_id: str) -> int:
        return int(task_id in self.busy)

    def taken_invocations(self) -> Sequence[Invocations]:
        return ()

    def is_ready(self, door: Path) -> bool:
        return door in self.ready


class FakeCompute:
    """Keeps tasks; the test says what becomes of them with `report`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: list[tuple[str, TaskListener]] = []
        self.pools: dict[str, PoolSpec] = {}
        self.tasks: dict[str, TaskSpec] = {}
        self.stopped: list[str] = []
        self.largest_vcpus = 16.0

    def subscribe(self, prefix: str, listener: TaskListener) -> None:
        self._listeners.append((prefix, listener))

    def create_pool(self, tx: Connection, spec: PoolSpec) -> None:
        self.pools[spec.pool_id] = spec

    def delete_pool(self, pool_id: str) -> None:
        self.pools.pop(pool_id, None)  # as the compute plane does: it is asked again after a crash

    def submit(self, tx: Connection, tasks: Sequence[TaskSpec]) -> None:
        for task in tasks:
            assert task.task_id not in self.tasks, "a task must not be submitted twice"
            assert task.pool_id in self.pools
            self.tasks[task.task_id] = task
            if task.log_head:  # as an instance does where the task starts
                task.log_path.parent.mkdir(parents=True, exist_ok=True)
                task.log_path.write_text(task.log_head)

    def stop(self, task_ids: Sequence[str], grace_seconds: float | None = None, reason: str = "stopped") -> None:
        self.stopped += task_ids

    def interrupt(self, instance_id: str, notice_seconds: float = 120.0) -> None:
        raise NotImplementedError

    def gpus_for(self, asked: int, instances: int = 1) -> int:
        return asked

    def sandbox_mode(self) -> str:
        return "user-namespace"

    def gpu_note(self, what: str, asked: int, instances: int = 1) -> str:
        return ""

    def fits(self, pool: PoolSpec, vcpus: float, memory_mib: int, gpus: int) -> bool:
        return vcpus <= self.largest_vcpus and gpus == 0

    def instances(self, pool_id: str | None = None) -> Sequence[InstanceInfo]:
        return ()

    def usage(self) -> Sequence[Usage]:
        return ()

    def report(self, *events: TaskEvent) -> None:
        """Deliver events as the compute plane does: in one transaction."""
        with self._database.transaction() as tx:
            for prefix, listener in self._listeners:
                chosen = [event for event in events if event.task_id.startswith(prefix)]
                if chosen:
                    listener(tx, chosen)

    def run(self, task_id: str, exit_code: int = 0, reason: str = "", at: float = 1_000.0) -> None:
        """A task from its placement to its exit."""
        self.report(
            TaskEvent(task_id, TaskState.PLACED, at, "i-1", "m5.large"),
            TaskEvent(task_id, TaskState.RUNNING, at + 1, "i-1", "m5.large"),
            TaskEvent(task_id, TaskState.EXITED, at + 2, "i-1", "m5.large", exit_code, reason),
        )


class FakeImages:
    """Every image is the interpreter at `python`, in `root`; those that say `missing` do not exist."""

    def __init__(self, python: Path, root: Path | None = None, *, has_notes: bool = True) -> None:
        self._python = python
        self._root = root
        self._has_notes = has_notes
        self.callers: list[Caller] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens while an image is looked for."""

    def on_made(self, told: Callable[[Collection[str]], None]) -> None:
        """Nothing is ever made."""

    def check(self, image_uri: str, caller: Caller) -> None:
        self.resolve(image_uri, caller, "")

    def resolve(self, image_uri: str, caller: Caller, waiter: str) -> Runtime:
        self.callers.append(caller)
        self.meanwhile()
        if "missing" in image_uri:
            raise ApiError("ValidationException", f"The image {image_uri} does not exist. Fix: build it")
        note = f"stands for {image_uri}" if self._has_notes else ""
        return Runtime(image_uri, self._python, root=self._root, env={"FROM_IMAGE": "1"}, note=note)
