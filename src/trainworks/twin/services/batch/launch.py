"""What a job's container is on this machine: a command line, an environment, a pool, and the credentials of its role.

Everything here is the same for all children of an array and for all jobs that start alike, so it is made once for as
many attempts as start together; `task_of` then adds what belongs to one attempt.
"""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Row
from typing import Any

from trainworks.aws.batch_constraints import FARGATE_TYPES, MAX_OVERRIDES_CHARS
from trainworks.twin.in_hand import InHand
from trainworks.twin.ports import (
    ApiError,
    Caller,
    ControlPlane,
    ImageResolver,
    Interfaces,
    Logs,
    Mount,
    Runtime,
    TaskSpec,
)
from trainworks.twin.services.batch.arns import account_of, ecs_task_arn, name_of, task_id
from trainworks.twin.services.batch.mounts import (
    is_mounted,
    shared_memory_mib_of,
    tmpfs_of,
    ulimits_of,
    volumes_of,
)
from trainworks.twin.services.batch.output import DEFAULT_LOG_GROUP, log_group_of, log_stream_of
from trainworks.twin.services.batch.records import STOP_GRACE_SECONDS, Job, JobSpec
from trainworks.twin.services.networks import JobNetwork, Networks

WORKING_FOLDER = "/tmp"  # noqa: S108 - the sandbox's own: private to the task and emptied after it
CREDENTIALS_SECONDS = 7 * 24 * 3600
"""ECS renews a task's credentials; in environment variables they must last as long as a job may wait and run."""

_TASKS_SERVICE = "ecs-tasks.amazonaws.com"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PYTHON_NAMES = ("python", "python3")


class LaunchError(Exception):
    """The container could not be made. `reason` is the container's, as Amazon ECS words it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LaunchPorts:
    """Who gives credentials and images, and the address of the AWS API that jobs call."""

    control_plane: ControlPlane
    images: ImageResolver
    logs: Logs
    networks: Networks
    endpoint_url: str
    in_hand: InHand


@dataclass(frozen=True, slots=True)
class TaskTemplate:
    """What attempts that start alike have in common. `spec` is that of the first."""

    spec: JobSpec
    pool_id: str
    priority: int
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    log_caller: Caller | None
    mounts: tuple[Mount, ...]
    python: Path
    network: JobNetwork
    note: str


def make_template(first: Job, spec: JobSpec, environment: Row, ports: LaunchPorts, *, priority: int) -> TaskTemplate:
    """`_make_template`, unless the server died again and again while it did that for this job.

    Raises `LaunchError`, and `ImageBeingMadeError` while the image is made.
    """
    with ports.in_hand.hold(first.job_id) as may:
        if not may:
            raise LaunchError(
                f"CannotStartContainerError: the twin ended {ports.in_hand.most_deaths} times while it started this job"
            )
        return _make_template(first, spec, environment, ports, priority=priority)


def _make_template(first: Job, spec: JobSpec, environment: Row, ports: LaunchPorts, *, priority: int) -> TaskTemplate:
    """Resolve image, credentials and command for attempts that begin with `first`, or raise `LaunchError`.

    `environment` is the row of the compute environment that they run in.
    """
    if spec.overrides_chars > MAX_OVERRIDES_CHARS:
        raise LaunchError(f"Container Overrides length must be at most {MAX_OVERRIDES_CHARS}")
    control_plane = ports.control_plane
    submitter = Caller(**spec.caller)
    task_arn = ecs_task_arn(environment["arn"], first.job_id, first.attempt + 1)
    subnet_ids, public_ip = _interfaces(spec, environment)
    interfaces = ports.networks.interfaces(subnet_ids, public_ip=public_ip)
    execution_caller = _assume_execution_role(control_plane, spec, task_arn, interfaces)
    _check_group(ports, execution_caller, submitter, spec)
    if execution_caller is not None:
        _check_logs(control_plane, execution_caller, spec, first)
    runtime = _resolve(ports.images, spec, execution_caller or submitter, waiter_of(first))
    env = {
        **runtime.env,
        **{entry["name"]: entry["value"] for entry in spec.container["environment"]},
        "AWS_REGION": submitter.region,
        "AWS_DEFAULT_REGION": submitter.region,
        "AWS_ENDPOINT_URL": ports.endpoint_url,
        "AWS_BATCH_CE_NAME": environment["name"],
        "AWS_BATCH_JQ_NAME": name_of(first.queue_arn),
        **_job_credentials(control_plane, spec, task_arn, interfaces),
    }
    return TaskTemplate(
        spec=spec,
        pool_id=environment["pool_id"],
        priority=priority,
        argv=_argv(spec.container, runtime, env),
        env=env,
        cwd=runtime.working_dir if runtime.working_dir != "/" else WORKING_FOLDER,
        log_caller=execution_caller,
        mounts=runtime.mounts,
        python=runtime.python,
        network=ports.networks.of(subnet_ids, public_ip=public_ip),
        note="" if runtime.root is not None else runtime.note,
    )


def _interfaces(spec: JobSpec, environment: Row) -> tuple[list[str], bool | None]:
    """Its subnets, and whether it has a public address: on Fargate the job says so, on EC2 the subnet (None)."""
    resources = json.loads(environment["spec"])["computeResources"]
    assign = spec.container.get("networkConfiguration", {}).get("assignPublicIp", "DISABLED")
    public_ip = assign == "ENABLED" if resources["type"] in FARGATE_TYPES else None
    return resources.get("subnets", []), public_ip


def _argv(container: Mapping[str, Any], runtime: Runtime, env: Mapping[str, str]) -> tuple[str, ...]:
    """The command as it is executed. A program in a volume is looked for by the instance, when it starts it."""
    argv = (*runtime.entrypoint, *(container["command"] or runtime.command))
    if argv and argv[0].startswith("/") and is_mounted(container, argv[0]):
        return argv
    return resolve_argv(argv, runtime, env)


def start_of(job: Job, spec: JobSpec) -> Hashable:
    """Equal for jobs that one template serves, whatever else they were submitted with: the children of an array, and
    jobs of one queue whose containers are the same. A job with a role has sessions of its own, as a task of Amazon ECS
    has.
    """
    container = spec.container
    if job.parent_id is not None or container.get("executionRoleArn") or container.get("jobRoleArn"):
        return job.spec_id
    told = [spec.caller, spec.timeout_seconds, spec.overrides_chars, container]
    return job.queue_arn, json.dumps(told)


def task_of(template: TaskTemplate, job: Job, *, log_path: Path, log_head: str, array_size: int | None) -> TaskSpec:
    """The task of one attempt of `job`."""
    env = {**template.env, "AWS_BATCH_JOB_ID": job.job_id, "AWS_BATCH_JOB_ATTEMPT": str(job.attempt)}
    if job.array_index is not None:
        env["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_index)
        env["AWS_BATCH_JOB_ARRAY_SIZE"] = str(array_size)
    return TaskSpec(
        task_id=task_id(job.job_id, job.attempt),
        pool_id=template.pool_id,
        argv=template.argv,
        env=env,
        log_path=log_path,
        log_head=log_head,
        cwd=template.cwd,
        mounts=template.mounts,
        volumes=volumes_of(template.spec.container),
        tmpfs=tmpfs_of(template.spec.container),
        shared_memory_mib=shared_memory_mib_of(template.spec.container),
        ulimits=ulimits_of(template.spec.container),
        python=template.python,
        vcpus=template.spec.vcpus,
        memory_mib=template.spec.memory_mib,
        gpus=template.spec.gpus,
        network=template.network.network,
        endpoint_port=template.network.endpoint_port,
        timeout_seconds=template.spec.timeout_seconds,
        stop_grace_seconds=STOP_GRACE_SECONDS,
        priority=template.priority,
    )


def resolve_argv(argv: Sequence[str], runtime: Runtime, env: Mapping[str, str]) -> tuple[str, ...]:
    """`argv` with its program as an absolute path: what `execvp` does in a container, never a shell.

    A plain name is looked up next to the runtime's interpreter first, then in the job's `PATH`. Raises `LaunchError`.
    """
    if not argv:
        raise LaunchError("CannotStartContainerError: Error response from daemon: no command specified")
    program = argv[0]
    if "/" in program:
        found = os.path.normpath(Path(runtime.working_dir) / program)
        if not _may_run(found):
            raise LaunchError(_not_started(program, "no such file or directory"))
        return (found, *argv[1:])
    if program in _PYTHON_NAMES:
        return (str(runtime.python), *argv[1:])
    folders = [str(runtime.python.parent), *env.get("PATH", _SYSTEM_PATH).split(":"), *_SYSTEM_PATH.split(":")]
    for folder in filter(None, folders):
        candidate = Path(folder) / program
        if _may_run(candidate) and candidate.is_file():
            return (str(candidate), *argv[1:])
    raise LaunchError(_not_started(program, "executable file not found in $PATH"))


def _may_run(path: str | Path) -> bool:
    try:
        return os.access(path, os.X_OK)
    except ValueError:  # a NUL, or half of a surrogate pair: no file is called so
        return False


def _assume_execution_role(
    control_plane: ControlPlane, spec: JobSpec, task_arn: str, interfaces: Interfaces | None
) -> Caller | None:
    role = spec.container.get("executionRoleArn")
    if not role:
        return None
    session = task_arn.rpartition("/")[2]
    try:
        credentials = control_plane.assume_for_service(
            _role_arn(role, spec), _TASKS_SERVICE, session, CREDENTIALS_SECONDS, task_arn, interfaces
        )
    except ApiError as error:
        raise LaunchError(_cannot_assume(role, error)) from error
    return credentials.caller


def _job_credentials(
    control_plane: ControlPlane, spec: JobSpec, task_arn: str, interfaces: Interfaces | None
) -> dict[str, str]:
    """The job role's temporary credentials as environment variables; none without a job role."""
    role = spec.container.get("jobRoleArn")
    if not role:
        return {}
    session = task_arn.rpartition("/")[2]
    try:
        credentials = control_plane.assume_for_service(
            _role_arn(role, spec), _TASKS_SERVICE, session, CREDENTIALS_SECONDS, task_arn, interfaces
        )
    except ApiError as error:
        raise LaunchError(_cannot_assume(role, error)) from error
    return credentials.variables


def _check_group(ports: LaunchPorts, role: Caller | None, submitter: Caller, spec: JobSpec) -> None:
    """Batch makes its own group, and the log driver another one only where `awslogs-create-group` says so, as the
    execution role."""
    configuration = spec.container.get("logConfiguration", {})
    if configuration.get("logDriver", "awslogs") != "awslogs":
        return
    group = log_group_of(spec)
    try:
        ports.logs.check_group(role or submitter, group)
    except ApiError as error:
        is_made = str(configuration.get("options", {}).get("awslogs-create-group", "false")).lower() == "true"
        if error.code != "ResourceNotFoundException" or not (is_made or group == DEFAULT_LOG_GROUP):
            raise LaunchError(_no_logging("stream", error)) from error
        if role is not None:
            _make_group(ports, role, group)


def _make_group(ports: LaunchPorts, role: Caller, group: str) -> None:
    if group != DEFAULT_LOG_GROUP:
        resource = f"arn:aws:logs:{role.region}:{role.account_id}:log-group:{group}:log-stream:"
        try:
            ports.control_plane.authorize(role, "logs:CreateLogGroup", resource)
        except ApiError as error:
            raise LaunchError(_no_logging("group", error)) from error
    ports.logs.create_group(role, group)


def _check_logs(control_plane: ControlPlane, caller: Caller, spec: JobSpec, first: Job) -> None:
    """As the log driver does before the container starts: may the execution role write there?"""
    stream = log_stream_of(spec, first.job_id, first.attempt + 1)
    resource = f"arn:aws:logs:{caller.region}:{caller.account_id}:log-group:{log_group_of(spec)}:log-stream:{stream}"
    try:
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            control_plane.authorize(caller, action, resource)
    except ApiError as error:
        raise LaunchError(_no_logging("stream", error)) from error


def _no_logging(what: str, error: ApiError) -> str:
    return (
        "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: "
        f"failed to create Cloudwatch log {what}: {error.code}: {error.message}"
    )


def waiter_of(job: Job) -> str:
    """As whom the jobs of one spec wait for their image."""
    return f"batch-{job.spec_id}"


def _resolve(images: ImageResolver, spec: JobSpec, caller: Caller, waiter: str) -> Runtime:
    image = str(spec.container["image"])
    try:
        return images.resolve(image, caller, waiter)
    except ApiError as error:
        raise LaunchError(f"CannotPullContainerError: {image}: {error.message}") from error


def _role_arn(role: str, spec: JobSpec) -> str:
    return role if role.startswith("arn:") else f"arn:aws:iam::{account_of(spec.definition_arn)}:role/{role}"


def _cannot_assume(role: str, error: ApiError) -> str:
    return (
        f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role "
        f"being passed has the proper trust relationship and permissions. {error.message}"
    )


def _not_started(program: str, problem: str) -> str:
    return (
        "CannotStartContainerError: Error response from daemon: failed to create task for container: "
        f'exec: "{program}": {problem}'
    )
