"""cdk-nag over the CDK app of an environment: it looks at constructs, so the app runs once more, in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from trainworks.assembly import SynthRequest
from trainworks.assembly.graph import Graph, Resource
from trainworks.errors import TrainworksError
from trainworks.preflight.finding import Finding, Severity
from trainworks.preflight.scanners.memory import Said, key_of, remembered

_COMMAND = (sys.executable, "-m", "trainworks.infra.nag")
_SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING}


def findings(graph: Graph, request: SynthRequest, memory: Path, tell: Callable[[str], None]) -> Iterator[Finding]:
    """What the pack AwsSolutions finds. Raises `TrainworksError` if the app or the pack fails."""

    def scan() -> Said:
        tell(f"cdk-nag reads the constructs of {request.stack_name}")
        return _violations(request)

    key = key_of(["cdk-nag", metadata.version("cdk-nag"), request.cache_key()])
    by_path = {_plain(f"{each.stack}/{each.place}"): each for each in graph.resources}
    for violation in remembered(memory, key, scan):
        severity = _SEVERITIES.get(violation["severity"])
        if severity is None:
            continue
        path = _plain(violation["construct_path"])
        yield _finding(violation, severity, by_path.get(path), path.partition("/")[2])


def _finding(violation: dict[str, str], severity: Severity, resource: Resource | None, path: str) -> Finding:
    return Finding(
        code=f"cdk-nag/{violation['rule']}",
        severity=severity,
        place=resource.place if resource else path,
        resource_type=resource.type if resource else "",
        logical_id=resource.logical_id if resource else "",
        message=violation["description"],
        value="",
        fix="",
        source=resource.created_at if resource else "",
    )


def _plain(path: str) -> str:
    """A construct path without the steps that name no construct of anybody's: `Default`, and `Resource` at the end."""
    return "/".join(step for step in path.removesuffix("/Resource").split("/") if step != "Default")


def _violations(request: SynthRequest) -> Said:
    question = json.dumps(
        {
            "environment_suffix": request.environment_suffix,
            "profile": asdict(request.profile),
            "account": request.account,
            "region": request.region,
        }
    )
    done = subprocess.run(_COMMAND, input=question, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().rpartition("\n")[2] or "without a word"
        raise TrainworksError(f"cdk-nag failed: {last}", fix="--no-scanners")
    violations: Said = json.loads(done.stdout)
    return violations
