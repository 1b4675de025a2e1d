"""cfn-lint over every template of a graph."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from trainworks.assembly.graph import Graph, Resource
from trainworks.errors import TrainworksError
from trainworks.preflight.finding import Finding, Severity
from trainworks.preflight.scanners.memory import Said, key_of, remembered

_PROGRAM = "import sys; from cfnlint import runner; sys.exit(runner.main())"
_FAILED_TO_RUN = 1 << 5
_SEVERITIES = {"Error": Severity.ERROR, "Warning": Severity.WARNING}


def findings(graph: Graph, memory: Path, tell: Callable[[str], None]) -> Iterator[Finding]:
    """Its errors and warnings, at the construct paths of our own. Raises `TrainworksError` if it fails."""
    resources = {(each.stack, each.stack_path, each.logical_id): each for each in graph.resources}
    templates = {
        str(file): (stack, stack_path)
        for stack in graph.stacks
        for stack_path in graph.stack_paths(stack)
        if (file := graph.file(stack, stack_path))
    }
    matches = list(_matches(list(templates), graph.region, memory, tell)) if templates else []
    for match in _without_wrong_alternatives(matches):
        stack, stack_path = templates[match["Filename"]]
        path = [str(step) for step in match["Location"].get("Path") or ()]
        resource = resources.get((stack, stack_path, path[1])) if path[:1] == ["Resources"] and len(path) > 1 else None
        if resource is not None and _is_older_name_of_event(resource, path):
            continue
        severity = _SEVERITIES.get(match["Level"])
        if severity is not None:
            yield _finding(match, severity, resource, path)


def _without_wrong_alternatives(matches: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """If a value has none of several forms (E3017), what it lacks for each of them is not a separate fault."""
    refused = [_where(match) for match in matches if match["Rule"]["Id"] == "E3017"]
    for match in matches:
        where = _where(match)
        if match["Rule"]["Id"] == "E3017" or not any(where[: len(each)] == each for each in refused):
            yield match


def _where(match: Mapping[str, Any]) -> tuple[str, ...]:
    return (match["Filename"], *(str(step) for step in match["Location"].get("Path") or ()))


def _is_older_name_of_event(resource: Resource, path: list[str]) -> bool:
    """SAM still takes `CloudWatchEvent` for `EventBridgeRule`; the schema that cfn-lint has of SAM does not know it."""
    if not resource.type.startswith("AWS::Serverless::") or path[2:4] != ["Properties", "Events"] or len(path) < 5:
        return False
    return bool(resource.get("Events", path[4], "Type") == "CloudWatchEvent")


def _finding(match: Mapping[str, Any], severity: Severity, resource: Resource | None, path: list[str]) -> Finding:
    rule = match["Rule"]
    return Finding(
        code=f"cfn-lint/{rule['Id']}",
        severity=severity,
        place=resource.place if resource else "/".join(path[:2]) or Path(match["Filename"]).name,
        resource_type=resource.type if resource else "",
        logical_id=resource.logical_id if resource else "",
        message=match["Message"],
        value=".".join(path[2:]),
        fix="",
        template=match["Filename"],
        source=resource.created_at if resource else "",
    )


def _matches(files: list[str], region: str, memory: Path, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """What it says about the files; remembered by their contents, as the same ones lie elsewhere the next time."""

    def scan() -> Said:
        tell(f"cfn-lint reads {len(files)} templates")
        return [{**match, "Filename": files.index(match["Filename"])} for match in _run(files, region)]

    contents = [Path(file).read_bytes() for file in files]
    key = key_of(["cfn-lint", metadata.version("cfn-lint"), region, *contents])
    for match in remembered(memory, key, scan):
        yield {**match, "Filename": files[match["Filename"]]}


def _run(files: list[str], region: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-c", _PROGRAM, "--format", "json", "--regions", region, "--", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        matches: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    except ValueError as error:
        raise TrainworksError(f"cfn-lint failed: {_last_line(done.stderr)}", fix="--no-scanners") from error
    if done.returncode & _FAILED_TO_RUN or (done.returncode == 1 and not matches):
        raise TrainworksError(f"cfn-lint failed: {_last_line(done.stderr)}", fix="--no-scanners")
    return matches


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "without a word"
