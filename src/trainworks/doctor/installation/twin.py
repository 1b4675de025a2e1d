"""Checks of the twin's home: whose it is, who may read it, whether the twin runs or left something behind."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.doctor.finding import Finding, Outcome
from trainworks.doctor.installation.facts import TwinHome
from trainworks.doctor.looking import Look

_OTHERS = 0o077


def home_findings(look: Look[TwinHome], *, is_needed: bool) -> Iterator[Finding]:
    """The folder, then the processes. `is_needed`: the environment that is asked about is the twin."""
    home = look.value
    if home is None:
        return
    if home.exists:
        yield from _folder(look, home)
    yield from _processes(look, home, is_needed)


def _folder(look: Look[TwinHome], home: TwinHome) -> Iterator[Finding]:
    if not home.is_home:
        yield Finding(
            "not-a-home",
            Outcome.PROBLEM,
            f"{home.root} is not empty and not a twin's home",
            (look.evidence("no version file of a twin"),),
            "set TRAINWORKS_HOME to an empty or new folder",
        )
        return
    if home.version and home.version != home.expected_version:
        yield Finding(
            "home-version",
            Outcome.PROBLEM,
            f"the twin's home {home.root} has format {home.version!r}; this trainworks reads {home.expected_version!r}",
            (look.evidence(f"version={home.version}"),),
            "use the trainworks that made it, set TRAINWORKS_HOME to another folder, or: trainworks twin reset",
        )
    if home.credentials_mode is not None and home.credentials_mode & _OTHERS:
        path = home.root / "credentials.json"
        yield Finding(
            "credentials-readable",
            Outcome.PROBLEM,
            f"others may read the twin's root keys: {path} has mode {home.credentials_mode:04o}",
            (look.evidence(f"credentials.json: {home.credentials_mode:04o}"),),
            f"chmod 600 {path}; if others may have read it: trainworks twin reset",
        )
    elif home.mode is not None and home.mode & _OTHERS:
        yield Finding(
            "home-readable",
            Outcome.WARNING,
            f"others may look into the twin's home {home.root}: mode {home.mode:04o}",
            (look.evidence(f"{home.root}: {home.mode:04o}"),),
            f"chmod 700 {home.root}",
        )


def _network(look: Look[TwinHome], home: TwinHome) -> Iterator[Finding]:
    if not home.network:
        return
    seen = (look.evidence(f"server.json: network={home.network}"),)
    if home.wished_network not in ("", home.network):
        yield Finding(
            "network-differs",
            Outcome.WARNING,
            f"the twin was started with twin.network = {home.network}, and your settings say {home.wished_network}",
            seen,
            "trainworks twin stop, then trainworks twin start",
        )
        return
    held = "use this machine's network" if home.network == "host" else "are held to the routes of their subnets"
    yield Finding("network", Outcome.OK, f"jobs in subnets of a VPC {held} (twin.network = {home.network})", seen)


def _processes(look: Look[TwinHome], home: TwinHome, is_needed: bool) -> Iterator[Finding]:
    start = "trainworks twin start"
    deaths = f"the server died {home.server_deaths} times since its last start"
    log = home.root / "server.log"
    if home.server_alive:
        yield Finding(
            "twin", Outcome.OK, f"the twin runs on port {home.recorded_port}", (look.evidence("server.json: alive"),)
        )
        yield from _network(look, home)
        if home.server_deaths:
            yield Finding("server-died", Outcome.WARNING, f"{deaths}", (look.evidence(f"{log}"),), f"read why: {log}")
        if not home.supervisor_alive:
            yield Finding(
                "no-supervisor",
                Outcome.WARNING,
                "the twin's supervisor is gone: a server that dies is not started again",
                (look.evidence("server.json: the supervisor is gone"),),
                f"trainworks twin stop --keep-jobs, then {start}",
            )
        return
    if home.supervisor_alive:
        yield Finding(
            "server-restarting",
            Outcome.WARNING,
            f"the twin's server is down and its supervisor starts it again; {deaths}",
            (look.evidence("server.json: the server is gone"),),
            f"wait a moment; if it stays down, read {log}",
        )
        return
    if home.gave_up:
        yield Finding(
            "server-gave-up",
            Outcome.PROBLEM,
            f"the twin's server kept dying and is not started again ({deaths})",
            (look.evidence(f"{log}: it is not started again"),),
            f"read why in {log}, then {start}",
        )
    elif home.recorded_port is not None:
        yield Finding(
            "stale-record",
            Outcome.PROBLEM if is_needed else Outcome.WARNING,
            f"the twin is recorded on port {home.recorded_port}, but none of its processes runs: it was killed",
            (look.evidence("server.json: its processes are gone"),),
            f"{start} (nothing is lost: it goes on where it was)",
        )
    elif is_needed:
        yield Finding(
            "twin-stopped", Outcome.WARNING, "the twin is not running", (look.evidence("no server.json"),), start
        )
    if home.port_is_taken:
        yield Finding(
            "port-taken",
            Outcome.PROBLEM if is_needed else Outcome.WARNING,
            f"port {home.port}, which the twin would use, is taken{home.port_holder}",
            (look.evidence(f"bind 127.0.0.1:{home.port}: taken{home.port_holder}"),),
            "stop that process, or choose another port: trainworks twin start --port N",
        )
