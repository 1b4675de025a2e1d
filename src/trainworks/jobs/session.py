"""The only place where a boto3 session is made: `session_for(environment)`.

Everything above speaks to AWS through `session.client(name)` and cannot tell which of the two answers. For the twin the
session carries the keys that the twin made at its first start and sends every call to its one port; nothing of the
user's own AWS configuration (profiles, proxies, endpoint variables) reaches it, and none of it is changed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ProfileNotFound

from trainworks.errors import ConfigurationError
from trainworks.jobs.twin_address import CONNECT_SECONDS, TwinConnection, twin_connection

if TYPE_CHECKING:
    from trainworks.config.environment import Environment


def session_for(environment: Environment, home: Path | None = None) -> boto3.Session:
    """A boto3 session of an environment: the twin, or an AWS account through the user's own credentials.

    Raises `TwinError` when the environment is the twin and it does not run, `ConfigurationError` when the AWS profile
    that the environment names is unknown. No AWS call is made.
    """
    if environment.is_twin:
        return session_of_twin(twin_connection(home), environment.region)
    try:
        return boto3.Session(profile_name=environment.aws_profile, region_name=environment.region)
    except ProfileNotFound as error:
        raise ConfigurationError(
            f"environment {environment.name!r}: AWS profile {environment.aws_profile!r} is not configured",
            fix=f"aws configure --profile {environment.aws_profile}, or change aws_profile in trainworks.toml",
        ) from error


def session_of_twin(connection: TwinConnection, region: str = "us-east-1") -> boto3.Session:
    """A boto3 session whose every client calls the twin at `connection`."""
    core = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    core.set_default_client_config(
        Config(
            proxies={},
            connect_timeout=CONNECT_SECONDS,
            retries={"mode": "standard", "max_attempts": 3},
            # As over https: a body is covered by its CRC; a SHA-256 more, at both ends, would take a third longer.
            s3={"addressing_style": "path", "payload_signing_enabled": False},
        )
    )
    return _EndpointSession(connection, core, region)


class _EndpointSession(boto3.Session):
    """boto3 takes an endpoint per client only; the AWS_ENDPOINT_URL variables of the user must not win over it."""

    def __init__(self, connection: TwinConnection, core: botocore.session.Session, region: str) -> None:
        super().__init__(
            aws_access_key_id=connection.access_key_id,
            aws_secret_access_key=connection.secret_access_key,
            region_name=region,
            botocore_session=core,
        )
        self._endpoint_url = connection.endpoint_url

    def client(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("endpoint_url", self._endpoint_url)
        return super().client(*args, **kwargs)

    def resource(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("endpoint_url", self._endpoint_url)
        return super().resource(*args, **kwargs)
