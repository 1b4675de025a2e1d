"""What doctor looks at without an argument: this machine, the twin's home, and the environment's account."""

from __future__ import annotations

import os
import subprocess
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import trainworks
from trainworks.application.doctor_subject import look_at_stack
from trainworks.config.environment import Environment, load_environment
from trainworks.config.job import TrainingJobSpec
from trainworks.config.variables import SANDBOX, cache_folder, home_folder, variable_problems
from trainworks.doctor.finding import Diagnosis
from trainworks.doctor.installation.causes import diagnose_installation
from trainworks.doctor.installation.facts import Account, InstallationFacts, MachineGpus, Sandbox, TwinHome
from trainworks.doctor.installation.look_account import look_at_account
from trainworks.doctor.installation.look_machine import (
    look_at_disk,
    look_at_limits,
    look_at_node,
    look_at_python,
    looked,
)
from trainworks.doctor.looking import Look, Looker
from trainworks.errors import TrainworksError
from trainworks.jobs.session import session_for


def diagnose_this_installation(environment_name: str) -> Diagnosis:
    """Every check of this machine and of an environment.

    Raises `ConfigurationError` if there is no such environment.
    """
    environment = load_environment(environment_name)
    now = datetime.now(UTC)
    account, no_session = _account(environment)
    facts = InstallationFacts(
        looked_at=now,
        python=look_at_python(now, _lock_file()),
        node=look_at_node(now),
        sandbox=_sandbox(now),
        disks=(
            look_at_disk(now, "the twin's home", home_folder()),
            look_at_disk(now, "the cache of templates", cache_folder()),
        ),
        limits=look_at_limits(now),
        home=_home(now),
        variables=Look("the environment's variables", now, tuple(variable_problems())),
        account=account,
        no_session=no_session,
        gpus=_gpus(now),
    )
    return diagnose_installation(facts, environment=environment.name, is_twin=environment.is_twin)


def _account(environment: Environment) -> tuple[Account | None, str]:
    """The account's facts, or why there is no session to ask with. A stopped twin has none."""
    try:
        session = session_for(environment)
    except TrainworksError as error:
        return None, "" if environment.is_twin else str(error)
    looker = Looker(session.client)  # type: ignore[arg-type]  # the stubs know each service by name
    return (
        look_at_account(
            looker,
            environment=environment.name,
            is_twin=environment.is_twin,
            region=environment.region,
            expected_account=environment.account or "",
            platform=look_at_stack(environment, environment.stack_name, looker),
            training_types=() if environment.is_twin else _usual_types(),
        ),
        "",
    )


def _usual_types() -> tuple[str, ...]:
    """The instance type that jobs get which name none."""
    return (str(TrainingJobSpec.model_fields["instance_type"].default),)


def _home(now: datetime) -> Look[TwinHome]:
    """The twin's home; without the twin's extra there is no twin to look at."""
    root = home_folder()
    try:
        from trainworks.twin.home import Home  # noqa: PLC0415
        from trainworks.twin.inspection import inspect  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return Look(f"home {root}", now, why_not=f"the twin is not installed ({error.name})")

    def read() -> TwinHome:
        found = inspect(Home(root))
        return TwinHome(root, **{field.name: getattr(found, field.name) for field in fields(found)})

    try:
        return looked(f"home {root}", now, read)
    except (KeyError, TypeError, ValueError) as error:
        return Look(f"home {root}", now, why_not=f"server.json is damaged: {error!r}")


def _sandbox(now: datetime) -> Look[Sandbox]:
    from trainworks.twin.compute.sandbox.process_limit import fence  # noqa: PLC0415
    from trainworks.twin.compute.sandbox.trial import try_sandbox  # noqa: PLC0415

    wish = os.environ.get(SANDBOX, "auto").lower()

    def read() -> Sandbox:
        mode, why_not = try_sandbox()
        return Sandbox(mode, why_not, wish, limits_processes=bool(fence()))

    try:
        return looked("a trial of the sandbox", now, read)
    except (ValueError, subprocess.TimeoutExpired) as error:
        return Look("a trial of the sandbox", now, why_not=str(error))


def _gpus(now: datetime) -> Look[MachineGpus]:
    from trainworks.twin.compute.gpus import find_gpus  # noqa: PLC0415

    def read() -> MachineGpus:
        found = find_gpus()
        return MachineGpus(tuple(gpu.model for gpu in found.devices.values()), found.why_no_metrics if found else "")

    return looked("the GPUs in /dev", now, read)


def _lock_file() -> Path | None:
    """The lock of the clone that this is installed from, if it is."""
    lock = Path(trainworks.__file__).resolve().parents[2] / "requirements.lock"
    return lock if lock.is_file() else None
