"""What the parts of the twin ask of one another.

`building.py` builds the parts and hands each the ports it needs; no part imports another part's inside. All calls are
synchronous and may be made from any thread. Errors that an API caller sees are `ApiError`.

    services, resources --> ControlPlane   permissions, role credentials, metrics, events         (twin.emulator)
    services, emulator  --> Logs           log events                                             (twin.services.logs)
    services            --> ObjectStore    object data                                            (twin.objects)
    services            --> Compute        instances and tasks                                    (twin.compute)
    services            --> ImageResolver  an image URI as something that can be executed         (twin.compute.images)
    emulator            --> Functions      invocations of Lambda functions                        (twin.functions)
    services            --> Gateway        which containers answer for an endpoint                (twin.serving)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from sqlite3 import Connection
from typing import Any, BinaryIO, Protocol

from trainworks.aws.reach import Reachability


class ApiError(Exception):
    """An error in AWS's own form: `code` and `message` as the service sends them, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request: the principal's ARN as in `sts:GetCallerIdentity`, its account and region."""

    arn: str
    account_id: str
    region: str
    access_key_id: str
    is_root: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials of a role session. `expiration` is seconds since the epoch."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: float
    caller: Caller

    @property
    def variables(self) -> dict[str, str]:
        """As every client of AWS reads them from its process's environment."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


@dataclass(frozen=True, slots=True)
class Interfaces:
    """The network interfaces of a job in a VPC, in any of these subnets. `public_ip`: as in `ControlPlane.reach`."""

    subnet_ids: tuple[str, ...]
    public_ip: bool | None


@dataclass(frozen=True, slots=True)
class MetricDatum:
    """One value of `cloudwatch:PutMetricData`; `timestamp` in seconds since the epoch, `unit` as in CloudWatch.

    With `counts`, how often each of several values came, and `value` says nothing.
    """

    metric_name: str
    dimensions: Mapping[str, str]
    value: float
    timestamp: float
    unit: str = "None"
    storage_resolution: int = 60
    counts: Mapping[float, float] | None = None


class ControlPlane(Protocol):
    """What the emulator does for our own services. Every call is durable when it returns."""

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None
    ) -> None:
        """Raise `ApiError('AccessDenied...')`, naming principal, action and resource, unless `caller` may do `action`.

        `resource` is an ARN or `*`; `context` holds condition keys such as `iam:PassedToService`.
        """

    def pass_role(self, caller: Caller, role_arn: str, service: str) -> None:
        """Check that the role exists, and that its trust lets `service` assume it.

        Raises `ApiError('ValidationException')` if not. That `caller` may pass the role is checked with the call's
        own action, for every member that holds one (`wire.roles`).
        """

    def assume_for_service(  # noqa: PLR0917 - what a session consists of
        self,
        role_arn: str,
        service: str,
        session_name: str,
        duration_seconds: int,
        source_arn: str,
        interfaces: Interfaces | None = None,
    ) -> Credentials:
        """Mint credentials of `role_arn` for a job; they survive a restart of the server.

        With `interfaces` all requests that they sign come from there, and are held to the policies of the VPC endpoints
        that they come through.
        """

    def end_session(self, access_key_id: str) -> None:
        """Take credentials back that were minted for something that has ended; nothing happens if they are gone."""

    def put_metric_data(self, namespace: str, data: Sequence[MetricDatum], region: str) -> None:
        """Store metric values as the service itself."""

    def put_event(self, source: str, detail_type: str, detail: Mapping[str, object], resources: Sequence[str]) -> None:
        """Publish one event on the default event bus (rules and their targets run)."""

    def event_patterns(self, source: str, detail_type: str) -> Sequence[Mapping[str, object]]:
        """The event patterns of all enabled rules (and archives) of the default bus that name or allow this source and
        detail type; `{}` matches all. An event that matches none of them need not be made. Cheap, and may be called
        while
        a transaction is open."""

    def function_refusal(self, function_arn: str, service: str, source_arn: str) -> str:
        """Why a service may not call a Lambda function for a resource of its own; "" if the function's policy lets
        it."""

    def invoke_function(self, caller: Caller, function_arn: str, event: Mapping[str, object]) -> None:
        """Let Lambda take in an event for a function, for a service: it runs later, over any restart. Raises `ApiError`
        if the function is gone."""

    def subnet_exists(self, subnet_id: str) -> bool: ...

    def reach(self, subnet_id: str, service: str, public_ip: bool | None) -> Reachability:
        """What an interface in a subnet reaches on AWS: `service`, or `service_needs.INTERNET`. `public_ip`: whether it
        has a public address (None: what the subnet gives). UNKNOWN for a subnet that is gone; NO where network ACLs
        stop it, too."""

    def security_group_exists(self, group_id: str) -> bool: ...

    def instance_profile_exists(self, profile: str) -> bool:
        """Whether IAM has an instance profile of this name or ARN."""

    def launch_template(self, reference: Mapping[str, str]) -> Mapping[str, object] | None:
        """The data (`RequestLaunchTemplateData`) of a version of a launch template, or None if there is none.

        `reference` has `launchTemplateId` or `launchTemplateName`, and may have a `version`.
        """

    def ecr_manifest(self, caller: Caller, image_uri: str) -> bytes | None:
        """The manifest of an image in the twin's own ECR, or None where repository or tag is unknown."""

    def ecr_layer(self, caller: Caller, image_uri: str, digest: str) -> bytes:
        """One blob (config or layer) of such an image."""


@dataclass(frozen=True, slots=True)
class OutputLines:
    """`count` whole lines (UTF-8, separated by a line feed) of a task's log file, which was read up to `offset`."""

    task_id: str
    caller: Caller | None
    log_group: str
    log_stream: str
    lines: bytes
    count: int
    offset: int


class Logs(Protocol):
    """CloudWatch Logs for the twin's own parts. With a `caller`, that principal's permissions are enforced; `None` is
    the service itself. Groups and streams are made if they are absent. Durable on return."""

    def check_group(self, caller: Caller, group: str) -> None:
        """Raise `ApiError` `ResourceNotFoundException` if the caller's account has no such group in the caller's
        region, `InvalidParameterException` if it cannot have one of that name."""

    def create_group(self, caller: Caller, group: str) -> None:
        """Make a group in the caller's account and region, as the service itself; nothing if it is there."""

    def put_log_events(self, caller: Caller | None, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Append `(timestamp in ms, message)` to a log stream. Raises `ApiError`."""

    def output_offset(self, caller: Caller | None, group: str, stream: str) -> int:
        """Up to where `put_output` brought the file of this stream."""

    def put_output(self, outputs: Sequence[OutputLines]) -> Mapping[str, ApiError]:
        """Append lines of several tasks, stamped with the present time; those that were refused, by task id.

        The same lines may be given again after a crash: what a stream has up to `offset` is not appended twice.
        """


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One current object version. `path` is its immutable body on disk: never write to it."""

    key: str
    size: int
    etag: str
    last_modified: float
    path: Path
    version_id: str | None = None


class ObjectStore(Protocol):
    """Object data of S3, below its HTTP API. With a `caller`, that principal's permissions are enforced,
    KMS included; `None` is the twin itself. Errors are S3's: `NoSuchBucket`, `NoSuchKey`, `AccessDenied`."""

    def list_objects(self, bucket: str, prefix: str, caller: Caller | None) -> Iterator[ObjectInfo]:
        """All current objects under `prefix` in key order (`s3:ListBucket` with `s3:prefix`)."""

    def get_object(self, bucket: str, key: str, caller: Caller | None) -> ObjectInfo: ...

    def put_object(
        self, bucket: str, key: str, body: BinaryIO | Path, caller: Caller | None, *, kms_key_id: str | None = None
    ) -> ObjectInfo:
        """Store `body` durably; a `Path` is copied (reflinked where the file system can).

        With a `kms_key_id` (id, ARN or alias) under that key, else under the bucket's default.
        """

    def delete_object(self, bucket: str, key: str, caller: Caller | None) -> None: ...

    def stage(self, bucket: str, prefix: str, destination: Path, caller: Caller | None) -> object:
        """Make `destination` a tree of hard links to all objects under `prefix`; raises `NoSuchKey` if none is."""


class Market(StrEnum):
    ON_DEMAND = "on-demand"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A set of instances that tasks are placed on: the instances of one training job, or a compute environment.

    `instance_types` are allowed types (`ml.m5.xlarge`, `m5.large`); the scheduler launches the smallest that fits.
    An `exclusive` pool runs one task an instance. Idle instances end after `idle_seconds`.
    """

    pool_id: str
    instance_types: tuple[str, ...]
    market: Market = Market.ON_DEMAND
    max_vcpus: int | None = None
    exclusive: bool = False
    idle_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder shown to a task. `overlay` lets the task write without touching `source`; it is never a copy."""

    source: Path
    target: str
    read_only: bool = False
    overlay: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder for a task that may write: what its instance has at `source`, an absolute path, shared with the other
    tasks of that instance; or, without a source, an empty folder of the task, one for each `name`. `source` is never
    a path of this machine: an instance has a disk of its own, which begins empty."""

    name: str
    source: str | None
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """A file system in memory, which counts as the task's; `options` as Docker takes them (`mode=700`)."""

    target: str
    size_mib: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ulimit:
    """A limit of the kernel by Docker's name for it (`nofile`); -1 is unlimited."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class TaskDoor:
    """The way to `port` of a task without `network`: a Unix socket that is made at `path` when the task starts.

    Who connects gets one byte, and with `+` the descriptor of a connection to the port, which is all he needs from
    then on; `-` says that nobody listens on it.
    """

    path: Path
    port: int


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One process tree on one instance.

    `argv[0]` is an absolute path on the host. `ml_root` is bound at `/opt/ml`. `log_path` gets `log_head`, then stdout
    and stderr, appended as written; its folder is made where absent. All tasks of a `gang_id` start together, each on
    an instance of its own, or not at all. `hostname` is its name in the instance's own UTS namespace; the names of its
    gang resolve to loopback addresses. `python` is the interpreter of its image, on top of which it gets an environment
    of its own to install into. `shared_memory_mib` is the size of /dev/shm, None for half of its memory.
    `endpoint_port` is what a task without `network` still reaches of this machine, None for nothing; `door` is how it
    is reached itself.
    """

    task_id: str
    pool_id: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log_path: Path
    cwd: str = "/"
    ml_root: Path | None = None
    mounts: tuple[Mount, ...] = ()
    writable: tuple[Path, ...] = ()
    volumes: tuple[Volume, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    shared_memory_mib: int | None = None
    ulimits: tuple[Ulimit, ...] = ()
    vcpus: float = 1.0
    memory_mib: int = 512
    gpus: int = 0
    network: bool = True
    endpoint_port: int | None = None
    door: TaskDoor | None = None
    timeout_seconds: float | None = None
    stop_grace_seconds: float = 120.0
    gang_id: str | None = None
    gang_size: int = 1
    gang_index: int = 0
    hostname: str = "localhost"
    python: Path | None = None
    priority: int = 0
    log_head: str = ""


class TaskState(StrEnum):
    """QUEUED -> PLACED -> RUNNING -> EXITED | LOST; QUEUED and PLACED may also end in CANCELLED. One that had not begun
    when its instance failed is QUEUED again, untold, and PLACED on another one, which is told.

    `PLACED` is: an instance was chosen and the lease is committed. `LOST` is: its instance ended under it.
    """

    QUEUED = "QUEUED"
    PLACED = "PLACED"
    RUNNING = "RUNNING"
    EXITED = "EXITED"
    LOST = "LOST"
    CANCELLED = "CANCELLED"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self in (TaskState.EXITED, TaskState.LOST, TaskState.CANCELLED)


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """A change of a task. `at` is seconds since the epoch, taken where it happened.

    For EXITED: `exit_code` as a shell would give it (128 + signal), `reason` one of "", "timeout", "stopped",
    "out of memory", "disk full", "too many processes: ...", or "cannot start: ..." when the process could not be
    executed.
    For LOST: `reason` is "spot interruption", "instance terminated" or "instance failed".
    """

    task_id: str
    state: TaskState
    at: float
    instance_id: str | None = None
    instance_type: str | None = None
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """One running instance: an agent process that stands for one EC2 or ml.* instance."""

    instance_id: str
    pool_id: str
    instance_type: str
    market: Market
    launched_at: float
    pid: int
    task_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a task uses now, of its instance: per cent, memory and disk in per cent of the instance's.

    `gpu_percent` and `gpu_memory_percent` are sums over the task's own GPUs, None if it has none or nobody can tell.
    """

    task_id: str
    at: float
    cpu_percent: float
    memory_percent: float
    disk_percent: float
    gpu_percent: float | None = None
    gpu_memory_percent: float | None = None


TaskListener = Callable[[Connection, Sequence[TaskEvent]], None]
"""Called with the open transaction in which the events are being committed; writes the service's own rows in it.

Never blocks and never calls back into Compute: later work goes through a row that a worker picks up after the commit.
"""


class Compute(Protocol):
    """Instances and tasks. Everything accepted here survives `kill -9` of the server."""

    def subscribe(self, prefix: str, listener: TaskListener) -> None:
        """Deliver the events of all tasks whose id starts with `prefix`; subscribe before `start`."""

    def create_pool(self, tx: Connection, spec: PoolSpec) -> None:
        """Create or replace a pool inside the caller's transaction."""

    def delete_pool(self, pool_id: str) -> None:
        """End the pool's instances and forget it."""

    def submit(self, tx: Connection, tasks: Sequence[TaskSpec]) -> None:
        """Queue tasks inside the caller's transaction, so that a job and its tasks become durable together."""

    def stop(self, task_ids: Sequence[str], grace_seconds: float | None = None, reason: str = "stopped") -> None:
        """SIGTERM, and SIGKILL after the grace; a queued task becomes CANCELLED."""

    def interrupt(self, instance_id: str, notice_seconds: float = 120.0) -> None:
        """A spot interruption: SIGTERM to its tasks now, the end of the instance after the notice; tasks are LOST."""

    def fits(self, pool: PoolSpec, vcpus: float, memory_mib: int, gpus: int) -> bool:
        """Whether any allowed instance type could ever hold such a task."""

    def sandbox_mode(self) -> str:
        """The namespaces that tasks get on this machine, `off` for none; waits until an instance has found out."""

    def gpus_for(self, asked: int, instances: int = 1) -> int:
        """How many GPUs each of so many tasks, started together, really gets here of those that it asks for."""

    def gpu_note(self, what: str, asked: int, instances: int = 1) -> str:
        """One line for the log where that is less than `asked`; it begins with `what` ("ml.p5.48xlarge has")."""

    def instances(self, pool_id: str | None = None) -> Sequence[InstanceInfo]: ...

    def usage(self) -> Sequence[Usage]:
        """A sample of every running task, taken now."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """An image as it can be executed here: an interpreter, its environment, and what Docker calls the entry point.

    `root` is the folder of a runtime image; its `train`, if there is one, is found by the `PATH` in `env`. `folders`
    are what a task of it has to see, read-only, at the path that they have here. `note` says in one line what stands
    for the image; it belongs at the head of the job's log. `made` is what the making of it said, for those who waited
    for that. `has_requirements`: what the job's requirements.txt names is in it. `has_toolkit`: SageMaker's training
    toolkit, which starts a script, is its `train`; so it is in AWS's own images.
    """

    image_uri: str
    python: Path
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    root: Path | None = None
    folders: tuple[Path, ...] = ()
    note: str = ""
    made: tuple[str, ...] = ()
    has_requirements: bool = False
    has_toolkit: bool = True

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """`folders` as mounts of a task."""
        return tuple(Mount(folder, str(folder), read_only=True) for folder in self.folders)


IMAGE_BEING_MADE = "The image is being made"
"""What a job's status message begins with meanwhile."""


class ImageBeingMadeError(Exception):
    """The environment of an image is being made; whoever waits is told when that has ended, and asks again.

    `lines` are what its making has said so far, `state` is what it does now; `has_ended` says whether it has ended by
    now. `what` begins the status message of who waits: an image is made, or requirements are installed on top of it.
    """

    def __init__(self, lines: Sequence[str], state: str, has_ended: Callable[[], bool]) -> None:
        super().__init__(state)
        self.lines = lines
        self.state = state
        self.has_ended = has_ended
        self.what = IMAGE_BEING_MADE


class ImageResolver(Protocol):
    """What stands for an image. No call waits for an environment to be made."""

    def check(self, image_uri: str, caller: Caller) -> None:
        """Raise `ApiError('ValidationException')` with the fix in its message if nothing can stand for the image."""

    def resolve(self, image_uri: str, caller: Caller, waiter: str) -> Runtime:
        """What runs for the image; its environment is made on first use.

        Raises `ApiError` as `check` does, or where the environment could not be made, and `ImageBeingMadeError` while
        it is made. `waiter` names who asks.
        """

    def on_made(self, told: Callable[[Collection[str]], None]) -> None:
        """Call `told` with the waiters when an environment is whole or could not be made."""


class PackageResolver(Protocol):
    """The packages that a job's requirements.txt adds to its image. No call waits for an installation."""

    def check(self, waiter: str) -> None:
        """Raise `ImageBeingMadeError` while what `waiter` waits for is installed: there is nothing else to do."""

    def installed(self, runtime: Runtime, source: Path, variables: Mapping[str, str], waiter: str) -> Runtime | None:
        """`runtime` with what requirements.txt in the folder `source` names on top; `variables` are the job's own.

        None if only the job itself can install it. Raises `ImageBeingMadeError` while it is installed, and
        `ApiError('InstallRequirementsError')` with pip's last lines where that failed.
        """

    def on_made(self, told: Callable[[Collection[str]], None]) -> None:
        """Call `told` with the waiters when an installation has ended."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One version of a Lambda function: all that its execution environments depend on.

    `code` and each of `layers` (lowest first) are zip archives; `role_arn` is what it runs as; `log_group` gets what
    it prints. `region` and `account_id` are where it lives. `revision` is another one whenever anything else here is.
    """

    revision: str
    function_arn: str
    function_name: str
    version: str
    account_id: str
    region: str
    runtime: str
    handler: str
    role_arn: str
    code: bytes
    layers: tuple[bytes, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: int = 3
    memory_size_in_mb: int = 128
    ephemeral_storage_in_mb: int = 512
    log_group: str = ""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event for a function. `payload` is JSON; `invoked_function_arn` has the qualifier that the caller gave.

    `client_context` is what the caller said of itself, if anything.
    """

    request_id: str
    payload: bytes
    invoked_function_arn: str
    trace_id: str = ""
    client_context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FunctionResult:
    """What came of an invocation. `payload` is JSON: the handler's result, or AWS's error document where
    `function_error` is not "". `log_tail` is the end of its log, at most 4 KiB."""

    payload: bytes
    function_error: str = ""
    log_tail: str = ""


class Functions(Protocol):
    """Execution environments of Lambda functions: processes in the sandbox, used again while they are warm."""

    def refusal(self, runtime: str) -> str:
        """Why functions of `runtime` cannot run here, with the fix; "" if they can."""

    def invoke(self, spec: FunctionSpec, invocation: Invocation) -> FunctionResult:
        """Run one invocation to its end, in the caller's thread. Whatever the function does is in the result.

        Raises `ApiError`: `InvalidRuntimeException` for a runtime that this machine lacks, `InvalidZipFileException`
        for code that cannot be unpacked, `TooManyRequestsException` when too many environments are in use.
        """

    def keep(self, counts: Sequence[tuple[FunctionSpec, int]]) -> None:
        """So many environments of each version are kept, also when nobody calls; of all others none is."""

    def provision(self, spec: FunctionSpec, count: int) -> tuple[int, str]:
        """Start what lacks of `count` environments; (how many are there, what prevents more or "").

        Raises `ApiError` as `invoke` does.
        """


URL_PREFIX = "/_lambda-url/"
"""What the paths of function URLs begin with, at the twin's address; their ids follow."""


@dataclass(frozen=True, slots=True)
class UrlRequest:
    """A request to a function URL. `path` and `query` are behind what names the URL, and as they were sent.

    `headers` have lower-case names; several of one name are joined by commas.
    """

    url_id: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class UrlAnswer:
    """What is sent for it; `headers` have lower-case names, and may have one more than once."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class FunctionUrls(Protocol):
    """Functions that are called by HTTP, at URLs of their own."""

    def auth_type(self, url_id: str) -> str | None:
        """`AWS_IAM`, or `NONE` for everybody; None for a URL that is not there."""

    def answer(self, request: UrlRequest, caller: Caller | None) -> UrlAnswer:
        """Run its function and answer, in the caller's thread; `caller` is who signed. What is refused is answered."""

    def refusal(self, error: ApiError) -> UrlAnswer:
        """An error of the door, as Lambda answers it at a URL."""


@dataclass(frozen=True, slots=True)
class Target:
    """A container that takes requests: its task, and its `TaskSpec.door`."""

    task_id: str
    door: Path


@dataclass(frozen=True, slots=True)
class ServedVariant:
    """A production variant: its share of the requests is its `weight` among the weights of all."""

    name: str
    weight: float
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """Who answers for an endpoint, and what its log group is called."""

    name: str
    log_group: str
    variants: tuple[ServedVariant, ...]


@dataclass(slots=True)
class Invocations:
    """What came of the requests to one variant of an endpoint in some seconds; latencies in microseconds, rounded to
    two digits, each with how often it came. `errors` are by the first digit of the container's status, 0 for none."""

    endpoint_arn: str
    endpoint_name: str
    variant: str
    instances: int = 0
    count: int = 0
    errors: dict[int, int] = field(default_factory=dict)
    model_latency: dict[float, float] = field(default_factory=dict)
    overhead_latency: dict[float, float] = field(default_factory=dict)


class Gateway(Protocol):
    """The way of requests to endpoints: `InvokeEndpoint`, without the emulator and without a thread."""

    def publish(self, endpoint_arn: str, served: Served | None) -> None:
        """From now on these answer, or nobody. A request that was given to another container is still answered."""

    def in_flight(self, task_id: str) -> int:
        """How many requests a container has now; one that is no longer published gets no more."""

    def taken_invocations(self) -> Sequence[Invocations]:
        """What came of requests since this was asked last."""

    def is_ready(self, door: Path) -> bool:
        """Whether what is behind a door answers `GET /ping` with 200 within two seconds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Something that has ended, by the name that its service knows; `folders` are its files."""

    name: str
    folders: tuple[Path, ...]
