"""What is known of the machine, of the twin's home and of the account behind an environment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trainworks.config.variables import VariableProblem
from trainworks.doctor.installation.versions import satisfies
from trainworks.doctor.looking import Look
from trainworks.doctor.quotas import Quota
from trainworks.doctor.stack.facts import StackFacts


@dataclass(frozen=True, slots=True)
class Package:
    """One requirement of trainworks: its extra ("" for the light client) and the version found, empty without one."""

    name: str
    specifier: str
    extra: str
    installed: str

    @property
    def is_satisfied(self) -> bool:
        return bool(self.installed) and satisfies(self.installed, self.specifier)


@dataclass(frozen=True, slots=True)
class Locked:
    """A package whose version differs from the one in `requirements.lock`."""

    name: str
    locked: str
    installed: str


@dataclass(frozen=True, slots=True)
class Python:
    """The interpreter, what is installed with it, and what differs from the lock (a clone has one)."""

    version: tuple[int, int, int]
    executable: str
    packages: tuple[Package, ...]
    off_the_lock: tuple[Locked, ...] = ()


@dataclass(frozen=True, slots=True)
class Disk:
    """`statvfs` of a folder, or of the nearest one above it that exists. `purpose`: what is kept there.

    `unusable` says why the folder cannot be made or written, and is empty if it can.
    """

    purpose: str
    path: Path
    free_bytes: int
    free_inodes: int
    total_inodes: int
    total_bytes: int
    unusable: str = ""


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Limits of this user's processes, and the memory that is left; -1 means no limit."""

    open_files: int
    processes: int
    shared_memory_free_bytes: int
    available_memory_bytes: int


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a forked trial of the sandbox came to. `mode` is that of an instance; `wish` is `TRAINWORKS_SANDBOX`.

    `limits_processes`: the kernel itself keeps a job to a number of processes.
    """

    mode: str
    why_not: str = ""
    wish: str = "auto"
    limits_processes: bool = True


@dataclass(frozen=True, slots=True)
class MachineGpus:
    """The GPUs that jobs on the twin can get: the model of each, "" if it is not known; why nobody measures them."""

    models: tuple[str, ...]
    why_no_metrics: str = ""


@dataclass(frozen=True, slots=True)
class TwinHome:
    """The twin's folder and what its files say; `mode` and `credentials_mode` are permission bits.

    `recorded_port` is None if no twin is recorded as running. `port_holder` is " by NAME (pid N)" of whoever listens
    on `port`, the one that a start would take. `server_deaths` are those of the last start; `gave_up`: it was not
    started again after them. `network` is the setting `twin.network` that it was started with, `wished_network` the one
    that a start would take.
    """

    root: Path
    exists: bool = True
    is_home: bool = True
    version: str = ""
    expected_version: str = ""
    mode: int | None = None
    credentials_mode: int | None = None
    recorded_port: int | None = None
    server_alive: bool = False
    supervisor_alive: bool = False
    port: int = 0
    port_is_taken: bool = False
    port_holder: str = ""
    server_deaths: int = 0
    gave_up: bool = False
    network: str = ""
    wished_network: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """`sts:GetCallerIdentity`; `skew_seconds` is this machine's clock less the endpoint's."""

    account: str
    arn: str
    skew_seconds: float


@dataclass(frozen=True, slots=True)
class Account:
    """The account behind an environment. Roles are absent if they do not exist; the rest is about permissions.

    `cost_access` and `budget_access` say whether cost data and budgets can be read.
    """

    environment: str
    is_twin: bool
    region: str
    expected_account: str
    identity: Look[Identity]
    service_linked_roles: tuple[tuple[str, Look[str]], ...] = ()
    quotas: tuple[Look[Quota], ...] = ()
    cost_access: Look[str] | None = None
    budget_access: Look[str] | None = None
    platform: StackFacts | None = None


@dataclass(frozen=True, slots=True)
class InstallationFacts:
    """Everything that was looked at. `account` is None if there is no session to ask with; `no_session` says why."""

    looked_at: datetime
    python: Look[Python]
    node: Look[str]
    sandbox: Look[Sandbox]
    disks: tuple[Look[Disk], ...]
    limits: Look[ProcessLimits]
    home: Look[TwinHome]
    variables: Look[tuple[VariableProblem, ...]]
    account: Account | None = None
    no_session: str = ""
    gpus: Look[MachineGpus] | None = None
