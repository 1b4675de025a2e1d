"""What the shell offers after TAB: jobs, datasets and functions. It is quick, or offers nothing, and never speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

from trainworks.errors import TrainworksError

if TYPE_CHECKING:
    from trainworks.jobs.connection import Connection

_OFFERED = 50


def job_names(context: typer.Context, incomplete: str) -> list[str]:
    """The newest jobs whose name begins so."""

    def newest(connection: Connection) -> Iterable[str]:
        from trainworks.jobs.job import JobFilter
        from trainworks.jobs.kinds import newest_jobs

        return (each.name for each in newest_jobs(connection, _OFFERED, JobFilter(name_prefix=incomplete)))

    return _beginning(incomplete, _asked(context, newest))


def dataset_names(context: typer.Context, incomplete: str) -> list[str]:
    """The datasets whose name begins so."""

    def names(connection: Connection) -> Iterable[str]:
        from trainworks.jobs.datasets import names_beginning

        return names_beginning(connection, incomplete)

    return _beginning(incomplete, _asked(context, names))


def function_names(context: typer.Context, incomplete: str) -> list[str]:
    """The functions whose name begins so."""

    def names(connection: Connection) -> Iterable[str]:
        from trainworks.jobs.functions import Functions

        return Functions(connection).names_beginning(incomplete)

    return _beginning(incomplete, _asked(context, names))


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name.startswith(incomplete)))


def _asked(context: typer.Context, ask: Callable[[Connection], Iterable[str]]) -> list[str]:
    """What the environment answers; nothing if it does not, within seconds and without a retry."""
    from trainworks.config.environment import LOCAL, load_environment

    name = context.params.get("environment") or context.params.get("environment_name") or LOCAL
    try:
        environment = load_environment(str(name))
        if environment.is_twin:
            from trainworks.jobs.twin_address import twin_connection

            twin_connection()  # before boto3 is imported: most who have no twin running wait for nothing
    except TrainworksError:
        return []
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from trainworks.jobs.connection import Connection

    patience = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1})
    try:
        return list(ask(Connection(environment, config=patience)))
    except (TrainworksError, BotoCoreError, ClientError):
        return []
