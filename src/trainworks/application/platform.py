"""The platform of one environment, from its templates to what runs: deployed and taken away.

environments.connect --> templates.assembly_of (cached) --> deployment_for --> deploy.deployer | deploy.teardown
"""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trainworks.application.environments import account_of
from trainworks.application.templates import assembly_of
from trainworks.config.variables import cache_folder
from trainworks.deploy import deployer, teardown
from trainworks.deploy.deployment import deployment_of
from trainworks.deploy.follow import LOCAL_PACING, REMOTE_PACING, StackMonitor
from trainworks.deploy.progress import Notice
from trainworks.deploy.turns import take_turns
from trainworks.meanwhile import Meanwhile, untold

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from trainworks.assembly import CloudAssembly
    from trainworks.config.environment import Environment
    from trainworks.deploy.changes import StackChanges
    from trainworks.deploy.clients import Clients
    from trainworks.deploy.deployer import UpResult
    from trainworks.deploy.deployment import Deployment
    from trainworks.deploy.inventory import Inventory
    from trainworks.deploy.plan import UpOptions
    from trainworks.deploy.progress import Report
    from trainworks.deploy.teardown import Content, DownResult


@dataclass(frozen=True, slots=True)
class DownPreview:
    """What `down` would delete and leave, what is lost for ever with it, and whether people depend on it."""

    inventory: Inventory
    lost: tuple[Content, ...]
    is_precious: bool

    @property
    def needs_consent(self) -> bool:
        """Whether somebody has to agree before it is deleted."""
        return bool(self.lost) or self.is_precious


def up(
    environment: Environment,
    clients: Clients,
    report: Report,
    allowed: UpOptions,
    *,
    approve: Callable[[StackChanges], bool] = deployer.approve_all,
    check: bool = True,
) -> UpResult:
    """Deploy the platform, in turn with others who change it; without changes nothing is done.

    `approve` is asked where resources that people depend on are replaced or removed; False leaves all as it is. Raises
    `CheckError` if `check` finds errors, `DeployError`, `RequestError` for another account than the environment's.
    """
    _refuse_wrong_account(environment, clients)
    account_id = account_of(environment, clients)
    assembly = assembly_of(environment, account_id, lambda what: _noticed(what, report))
    # The twin is nobody's account: its bootstrap is part of deploying to it.
    allowed = replace(allowed, bootstrap=allowed.bootstrap or environment.is_twin)
    with turn_of(environment, clients, report):
        return deployer.up(
            deployment_of(assembly, account_id=account_id, region=environment.region),
            clients,
            monitor_for(environment, report),
            allowed,
            approve=lambda changes: not endangers(environment, changes) or approve(changes),
            gate=gate_for(environment, assembly, account_id) if check else lambda: None,
        )


def preview_of_down(environment: Environment, clients: Clients) -> DownPreview | None:
    """What `down` would do; None if nothing is deployed. Raises `RequestError` for another account."""
    _refuse_wrong_account(environment, clients)
    inventory = teardown.survey(environment.stack_name, clients)
    if inventory is None:
        return None
    return DownPreview(inventory, tuple(teardown.contents(inventory, clients)), is_precious(environment))


def down(environment: Environment, clients: Clients, report: Report) -> DownResult:
    """Take the platform away, in turn with others who change it. Who must agree has done so (see `preview_of_down`)."""
    _refuse_wrong_account(environment, clients)
    with turn_of(environment, clients, report):
        return teardown.down(environment.stack_name, clients, monitor_for(environment, report))


def _refuse_wrong_account(environment: Environment, clients: Clients) -> None:
    """Raises `RequestError`. A twin has one account alone: its credentials are not asked."""
    deployer.refuse_wrong_account(clients, None if environment.is_twin else environment.account)


def _noticed(what: str, report: Report) -> AbstractContextManager[None]:
    report(Notice(what))
    return nullcontext()


def deployment_for(environment: Environment, clients: Clients, meanwhile: Meanwhile = untold) -> Deployment:
    """What `up` would deploy: the assembly of the environment, resolved for its account."""
    account_id = account_of(environment, clients)
    assembly = assembly_of(environment, account_id, meanwhile)
    return deployment_of(assembly, account_id=account_id, region=environment.region)


def gate_for(environment: Environment, assembly: CloudAssembly, account_id: str) -> Callable[[], None]:
    """The check of what is to be deployed, for `deployer.up` to call where it would change something."""

    def refuse_errors() -> None:
        # Half of what `up` imports, and an unchanged platform is not checked.
        from trainworks.application.checking import refuse_errors_of  # noqa: PLC0415

        refuse_errors_of(environment, assembly, account_id)

    return refuse_errors


def turn_of(environment: Environment, clients: Clients, report: Report) -> AbstractContextManager[None]:
    """The caller's turn to change the platform; of each twin and each account and region there is another."""
    address = hashlib.sha256(clients.cloudformation.meta.endpoint_url.encode()).hexdigest()[:12]
    name = f"{environment.stack_name}-{account_of(environment, clients)}-{environment.region}-{address}"
    return take_turns(cache_folder() / "turns", name, report)


def monitor_for(environment: Environment, report: Report) -> StackMonitor:
    """How often to look: the twin is done in moments, AWS in minutes."""
    return StackMonitor(report, LOCAL_PACING if environment.is_twin else REMOTE_PACING)


def is_precious(environment: Environment) -> bool:
    """Whether people depend on the platform: everything but the twin and the dev profile."""
    return not environment.is_twin and environment.profile.name.value != "dev"


def endangers(environment: Environment, changes: StackChanges) -> bool:
    """Whether changes replace or remove what people depend on."""
    return is_precious(environment) and bool(changes.replaced or changes.removed)
