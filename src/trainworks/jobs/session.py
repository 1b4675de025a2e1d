"""The only place where a boto3 session is made: `session_for(environment)`.

Everything above speaks to AWS through `session.client(name)` and cannot tell which of the two answers. For the twin the
session carries the keys that the twin made at its first start and sends every call to its one port; nothing of the
user's own AWS configuration (profiles, proxies, endpoint variables) reaches it, and none of it is changed.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ProfileNotFound

from trainworks.config.variables import home_folder
from trainworks.errors import ConfigurationError, TwinError

if TYPE_CHECKING:
    from trainworks.config.environment import Environment

START_TWIN = "trainworks twin start"
_CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class TwinConnection:
    """Where the twin of a home answers, and the keys of its root user."""

    port: int
    access_key_id: str
    secret_access_key: str = field(repr=False)

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def twin_connection(home: Path | None = None) -> TwinConnection:
    """Read where the twin of `home` listens and with which keys. Raises `TwinError` where it does not run."""
    home = home or home_folder()
    server = _read_record(home / "server.json")
    credentials = _read_record(home / "credentials.json")
    if server is None or credentials is None:
        raise TwinError(f"the twin is not running (home: {home})", fix=START_TWIN)
    try:
        connection = TwinConnection(
            int(server["port"]), str(credentials["access_key_id"]), str(credentials["secret_access_key"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TwinError(f"the twin's home {home} is damaged: {error!r}", fix="trainworks twin reset") from error
    if not _listens(connection.port):
        raise TwinError(f"the twin is not running: nothing answers on port {connection.port}", fix=START_TWIN)
    return connection


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
            connect_timeout=_CONNECT_SECONDS,
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


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise TwinError(f"cannot read {path}: {error}", fix="trainworks twin reset") from error
    return record if isinstance(record, dict) else {}


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False
