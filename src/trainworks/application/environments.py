"""An environment by its name, and the clients that reach it."""

from __future__ import annotations

from trainworks.config.environment import Environment, load_environment
from trainworks.deploy.clients import Clients
from trainworks.jobs.session import session_for


def connect(environment_name: str) -> tuple[Environment, Clients]:
    """The environment and its clients; `TwinError` where the environment is the twin and it does not run."""
    environment = load_environment(environment_name)
    session = session_for(environment)
    return environment, Clients(session.client)  # type: ignore[arg-type]  # the stubs know each service by name


def account_of(environment: Environment, clients: Clients) -> str:
    """The account that an environment names, or that of its credentials."""
    return environment.account or clients.account_id
