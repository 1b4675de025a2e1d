"""Where the twin of this machine answers: read from its home, without anything that is slow to import."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainworks.config.variables import home_folder
from trainworks.errors import TwinError

START_TWIN = "trainworks twin start"
CONNECT_SECONDS = 2.0


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
    """Read where the twin of `home` listens and with which keys. Raises `TwinError` if it does not run."""
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
        with socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False
