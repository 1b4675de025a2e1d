"""What a twin's home contains, read without changing it: to find out why the twin does not run."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from trainworks.config.environment import find_file
from trainworks.config.twin_settings import network_wish
from trainworks.errors import ConfigurationError
from trainworks.twin.home import DEFAULT_PORT, HOME_VERSION, Home
from trainworks.twin.lifecycle import bind_error, is_alive, port_holder, read_record
from trainworks.twin.supervisor import DIED, NOT_AGAIN, STARTED

_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Inspection:
    """Modes are permission bits, None if there is no such file. `port` and `wished_network` are those that a start
    would take; `network` is that of the running twin, "" if it does not say."""

    exists: bool
    is_home: bool
    version: str
    expected_version: str
    mode: int | None
    credentials_mode: int | None
    recorded_port: int | None
    server_alive: bool
    supervisor_alive: bool
    port: int
    port_is_taken: bool
    port_holder: str
    server_deaths: int
    gave_up: bool
    network: str
    wished_network: str


def inspect(home: Home) -> Inspection:
    """Read a home. Raises `OSError` if it cannot be read, `ValueError` if `server.json` is not JSON."""
    exists = home.root.is_dir()
    record = read_record(home)
    recorded_port = None if record is None else int(record["port"])
    server_alive, supervisor_alive = is_alive(record, "server"), is_alive(record, "supervisor")
    port = recorded_port or DEFAULT_PORT
    taken = not (server_alive or supervisor_alive) and bind_error(port) is not None
    deaths, gave_up = _deaths(home.log_file)
    return Inspection(
        exists=exists,
        is_home=not exists or not any(home.root.iterdir()) or home.is_home(),
        version=home.version_file.read_text().strip() if home.version_file.is_file() else "",
        expected_version=HOME_VERSION,
        mode=_mode(home.root),
        credentials_mode=_mode(home.credentials_file),
        recorded_port=recorded_port,
        server_alive=server_alive,
        supervisor_alive=supervisor_alive,
        port=port,
        port_is_taken=taken,
        port_holder=port_holder(port) if taken else "",
        server_deaths=deaths,
        gave_up=gave_up,
        network=str((record or {}).get("network", "")),
        wished_network=_wished_network(),
    )


def _wished_network() -> str:
    """What a start in this folder would use; "" for a setting that it refuses, which is reported elsewhere."""
    try:
        return network_wish(find_file(Path.cwd()))
    except ConfigurationError:
        return ""


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None


def _deaths(log: Path) -> tuple[int, bool]:
    """How often the server died since its supervisor was started, and whether that gave up."""
    if not log.is_file():
        return 0, False
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(STARTED)]
    since = lines[starts[-1] :] if starts else lines
    return sum(line.startswith(DIED) for line in since), any(NOT_AGAIN in line for line in since)
