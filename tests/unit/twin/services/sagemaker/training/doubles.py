"""Doubles of the twin's other parts: a control plane that records, objects in a folder, a compute plane on command."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any, BinaryIO

from trainworks.aws.reach import Answer, Reach
from trainworks.twin.ports import (
    ApiError,
    Caller,
    Credentials,
    InstanceInfo,
    MetricDatum,
    ObjectInfo,
    OutputLines,
    PoolSpec,
    Runtime,
    TaskEvent,
    TaskListener,
    TaskSpec,
    TaskState,
    Usage,
)

ACCOUNT = "000000000000"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/training"
ADA = Caller(f"arn:aws:iam::{ACCOUNT}:user/ada", ACCOUNT, "us-east-1", "AKIAADA")
ROLE = Caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/training/SageMaker", ACCOUNT, "us-east-1", "ASIAROLE")


class RecordingControlPlane:
    """Allows all but what is in `denied` (actions); keeps logs, metrics and events."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.authorized: list[tuple[str, str, Mapping[str, Any]]] = []
        self.logs: dict[str, list[str]] = {}
        self.metrics: list[tuple[str, MetricDatum]] = []
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.subnets = {"subnet-1"}
        self.groups = {"sg-1"}
        self._lock = threading.Lock()

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None
    ) -> None:
        self.authorized.append((action, resource, context or {}))
        if action in self.denied:
            raise ApiError(
                "AccessDenied",
                f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource}",
                403,
            )

    def event_patterns(self, source: str, detail_type: str) -> Sequence[Mapping[str, object]]:
        return [{}]

    def pass_role(self, caller: Caller, role_arn: str, service: str) -> None:
        self.authorize(caller, "iam:PassRole", role_arn, {"iam:PassedToService": service})
        if role_arn != ROLE_ARN:
            raise ApiError("ValidationException", f"Could not assume role {role_arn}.")

    def assume_for_service(
        self, role_arn: str, service: str, session_name: str, duration_seconds: int, source_arn: str
    ) -> Credentials:
        return Credentials("ASIAROLE", "secret", "token", time.time() + duration_seconds, ROLE)

    def output_offset(self, caller: Caller | None, group: str, stream: str) -> int:
        return 0

    def put_output(self, outputs: Sequence[OutputLines]) -> Mapping[str, ApiError]:
        with self._lock:
            for each in outputs:
                lines = each.lines.decode().split("\n")
                self.logs.setdefault(f"{each.log_group}:{each.log_stream}", []).extend(line or " " for line in lines)
        return {}

    def put_log_events(self, caller: Caller | None, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        with self._lock:
            self.logs.setdefault(f"{group}:{stream}", []).extend(message for _, message in events)

    def check_group(self, caller: Caller, group: str) -> None:
        return

    def create_group(self, caller: Caller, group: str) -> None:
        raise NotImplementedError

    def function_refusal(self, function_arn: str, service: str, source_arn: str) -> str:
        return "there is no such function"

    def invoke_function(self, caller: Caller, function_arn: str, event: Mapping[str, object]) -> None:
        raise NotImplementedError

    def put_metric_data(self, namespace: str, data: Sequence[MetricDatum], region: str) -> None:
        with self._lock:
            self.metrics.extend((namespace, datum) for datum in data)

    def put_event(self, source: str, detail_type: str, detail: Mapping[str, object], resources: Sequence[str]) -> None:
        with self._lock:
            self.events.append((detail_type, detail))

    def subnet_exists(self, subnet_id: str) -> bool:
        return subnet_id in self.subnets

    def reach(self, subnet_id: str, service: str, public_ip: bool | None) -> Answer:
        return Answer(Reach.YES)

    def security_group_exists(self, group_id: str) -> bool:
        return group_id in self.groups

    def ecr_manifest(self, caller: Caller, image_uri: str) -> bytes | None:
        return None

    def ecr_layer(self, caller: Caller, image_uri: str, digest: str) -> bytes:
        raise ApiError("ImageNotFoundException", image_uri)


class FolderObjects:
    """Objects as files below a folder; `denied` holds (action, bucket) that only the twin itself may do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.buckets = {"data", "models"}
        self.denied: set[tuple[str, str]] = set()
        self.puts: list[str] = []

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.put_object(bucket, key, io.BytesIO(body), None)

    def keys(self, bucket: str) -> list[str]:
        return [info.key for info in self.list_objects(bucket, "", None)]

    def body(self, bucket: str, key: str) -> bytes:
        return self.get_object(bucket, key, None).path.read_bytes()

    def list_objects(self, bucket: str, prefix: str, caller: Caller | None) -> Iterator[ObjectInfo]:
        self._check("s3:ListBucket", bucket, caller)
        root = self._folder / bucket
        found = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        for key in found:
            if key.startswith(prefix):
                yield self._info(bucket, key)

    def get_object(self, bucket: str, key: str, caller: Caller | None) -> ObjectInfo:
        self._check("s3:GetObject", bucket, caller)
        if not (self._folder / bucket / key).is_file():
            raise ApiError("NoSuchKey", f"The key {key} does not exist", 404)
        return self._info(bucket, key)

    def put_object(
        self, bucket: str, key: str, body: BinaryIO | Path, caller: Caller | None, *, kms_key_id: str | None = None
    ) -> ObjectInfo:
        self._check("s3:PutObject", bucket, caller)
        path = self._folder / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        try:
            with new.open("wb") as out, body.open("rb") if isinstance(body, Path) else body as source:
                shutil.copyfileobj(source, out)
        except OSError:
            new.unlink()
            raise
        new.rename(path)
        self.puts.append(f"{bucket}/{key}")
        return self._info(bucket, key)

    def delete_object(self, bucket: str, key: str, caller: Caller | None) -> None:
        (self._folder / bucket / key).unlink(missing_ok=True)

    def stage(self, bucket: str, prefix: str, destination: Path, caller: Caller | None) -> int:
        found = list(self.list_objects(bucket, prefix, caller))
        if not found:
            raise ApiError("NoSuchKey", prefix, 404)
        for each in found:
            self._check("s3:GetObject", bucket, caller)
            folder = prefix if prefix.endswith("/") or not prefix else prefix + "/"
            relative = each.key.removeprefix(folder) if each.key.startswith(folder) else each.key.rpartition("/")[2]
            target = destination / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(each.path)
        return len(found)

    def _check(self, action: str, bucket: str, caller: Caller | None) -> None:
        if bucket not in self.buckets:
            raise ApiError("NoSuchBucket", f"The bucket {bucket} does not exist", 404)
        if caller is not None and (action, bucket) in self.denied:
            message = f"User: {caller.arn} is not authorized to perform: {action} on resource: arn:aws:s3:::{bucket}"
            raise ApiError("AccessDenied", message, 403)

    def _info(self, bucket: str, key: str) -> ObjectInfo:
        path = self._folder / bucket / key
        status = path.stat()
        etag = hashlib.md5(path.read_bytes()).hexdigest()
        return ObjectInfo(key, status.st_size, f'"{etag}"', status.st_mtime, path)


class CommandedCompute:
    """Does nothing by itself: a test says what happens to tasks."""

    def __init__(self, transaction: Callable[[], Any]) -> None:
        self._transaction = transaction
        self._listeners: list[tuple[str, TaskListener]] = []
        self.pools: dict[str, PoolSpec] = {}
        self.tasks: dict[str, TaskSpec] = {}
        self.states: dict[str, TaskState] = {}
        self.stopped: list[tuple[str, float | None]] = []
        self.interrupted: list[tuple[str, float]] = []
        self.deleted_pools: list[str] = []

    def subscribe(self, prefix: str, listener: TaskListener) -> None:
        self._listeners.append((prefix, listener))

    def create_pool(self, tx: Connection, spec: PoolSpec) -> None:
        self.pools[spec.pool_id] = spec

    def delete_pool(self, pool_id: str) -> None:
        self.deleted_pools.append(pool_id)

    def submit(self, tx: Connection, tasks: Sequence[TaskSpec]) -> None:
        for task in tasks:
            assert task.task_id not in self.tasks, "submitted twice"
            self.tasks[task.task_id] = task
            self.states[task.task_id] = TaskState.QUEUED

    def stop(self, task_ids: Sequence[str], grace_seconds: float | None = None, reason: str = "stopped") -> None:
        self.stopped += [(task_id, grace_seconds) for task_id in task_ids]

    def interrupt(self, instance_id: str, notice_seconds: float = 120.0) -> None:
        self.interrupted.append((instance_id, notice_seconds))

    def gpus_for(self, asked: int, instances: int = 1) -> int:
        return asked

    def sandbox_mode(self) -> str:
        return "user-namespace"

    def gpu_note(self, what: str, asked: int, instances: int = 1) -> str:
        return ""

    def fits(self, pool: PoolSpec, vcpus: float, memory_mib: int, gpus: int) -> bool:
        return True

    def instances(self, pool_id: str | None = None) -> Sequence[InstanceInfo]:
        return []

    def usage(self) -> Sequence[Usage]:
        running = [task for task, state in self.states.items() if state is TaskState.RUNNING]
        return [Usage(task, time.time(), 50.0, 25.0, 10.0) for task in running]

    def tell(self, task_id: str, state: TaskState, at: float, **fields: Any) -> None:
        """An event of one task, in a transaction, as the compute plane delivers it."""
        self.states[task_id] = state
        event = TaskEvent(task_id, state, at, instance_id="i-1", **fields)
        with self._transaction() as tx:
            for prefix, listener in self._listeners:
                if task_id.startswith(prefix):
                    listener(tx, [event])


class OneRuntime:
    """Every image is the interpreter `python`, but `missing`, which is refused."""

    def __init__(self, python: Path, root: Path | None = None) -> None:
        self.runtime = Runtime("image", python, root=root)

    def on_made(self, told: Callable[[Collection[str]], None]) -> None:
        """Nothing is ever made."""

    def check(self, image_uri: str, caller: Caller) -> None:
        self.resolve(image_uri, caller, "")

    def resolve(self, image_uri: str, caller: Caller, waiter: str) -> Runtime:
        if image_uri == "missing":
            raise ApiError("ValidationException", "Nothing here can stand for the image missing. Fix: build one")
        return self.runtime


class NoPackages:
    """Every job installs its requirements itself."""

    def on_made(self, told: Callable[[Collection[str]], None]) -> None:
        """Nothing is ever installed."""

    def check(self, waiter: str) -> None:
        """Nothing is being installed."""

    def installed(self, runtime: Runtime, source: Path, variables: Mapping[str, str], waiter: str) -> Runtime | None:
        return None


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A tar.gz of files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            body = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def request(name: str = "job-1", **members: Any) -> dict[str, Any]:
    """A CreateTrainingJob request that is right; `members` replace or add."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": ROLE_ARN,
        "OutputDataConfig": {"S3OutputPath": "s3://models/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "HyperParameters": {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": '"s3://models/code/sourcedir.tar.gz"',
        },
        **members,
    }
