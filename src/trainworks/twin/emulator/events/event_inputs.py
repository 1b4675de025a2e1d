"""What a target is given of an event: the event, a part of it, a fixed text, or a template with its parts.

After "Amazon EventBridge input transformation" (EventBridge User Guide). Stock knows only paths of names, accepts any
template, and gives log groups, job queues and dead-letter queues the whole event even if a part was asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.ports import ApiError

_PATH = re.compile(r"\$(?:\.[^.\[\]\s'\"*?()@]+|\[\d{1,9}\]|\['[^']+'\])*")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']+)'\]")
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>"]*>')
_PLACEHOLDER = re.compile(r"<([^<>\s\"]+)>")
_MOST_VARIABLES = 100
_RESERVED = "aws.events."


def check_inputs(name: str, target: Mapping[str, Any]) -> None:
    """Raise `ApiError` for a path or template that EventBridge refuses when a target is put."""
    if "InputPath" in target:
        _check_path(name, str(target["InputPath"]))
    transformer = target.get("InputTransformer")
    if transformer is None:
        return
    paths, template = transformer.get("InputPathsMap") or {}, str(transformer.get("InputTemplate", ""))
    if len(paths) > _MOST_VARIABLES:
        raise _invalid(f"InputPathsMap for target {name} has more than {_MOST_VARIABLES} entries.")
    for variable, path in paths.items():
        if str(variable).upper().startswith("AWS"):
            raise _invalid(f"InputPathsMap for target {name} contains the key {variable}: keys cannot start with AWS.")
        _check_path(name, str(path))
    for placeholder in _PLACEHOLDER.findall(template):
        if placeholder not in paths and not placeholder.startswith(_RESERVED):
            raise _invalid(f"InputTemplate for target {name} contains invalid placeholder {placeholder}.")
    if template.lstrip().startswith(("{", "[")):
        _check_json(name, template)


def payload_of(target: Mapping[str, Any], source: Mapping[str, Any], view: Any) -> str | None:
    """What the target of a rule or schedule gets; None if it gets the event itself.

    `view` is ministack's view of the event.
    """
    if target.get("InputTransformer"):
        return _transformed(target["InputTransformer"], source, view)
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath") not in (None, "", "$"):
        found = at_path(view.event_with_detail(), str(target["InputPath"]))
        return None if found is None else json.dumps(found)
    return None


def at_path(document: Any, path: str) -> Any:
    """What a path such as `$.detail.items[0]` leads to, None if it leads nowhere."""
    for name, index, quoted in _STEP.findall(path):
        if index:
            if not isinstance(document, list) or int(index) >= len(document):
                return None
            document = document[int(index)]
        elif isinstance(document, Mapping) and (name or quoted) in document:
            document = document[name or quoted]
        else:
            return None
    return document


def _transformed(transformer: Mapping[str, Any], source: Mapping[str, Any], view: Any) -> str:
    event = view.event_with_detail()
    values = {
        str(name): "" if (found := at_path(event, str(path))) is None else found
        for name, path in (transformer.get("InputPathsMap") or {}).items()
    }
    values |= {
        "aws.events.event.json": event,
        "aws.events.event": view.envelope(),
        "aws.events.event.ingestion-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws.events.rule-name": source.get("Name", ""),
        "aws.events.rule-arn": source.get("Arn", ""),
    }
    rendered: str = engine.service("eventbridge")._render_input_template(transformer.get("InputTemplate", ""), values)
    return rendered


def _check_path(name: str, path: str) -> None:
    if not _PATH.fullmatch(path):
        raise _invalid(f"Invalid JSON path {path} for target {name}.")


def _check_json(name: str, template: str) -> None:
    """A template that is a document has to be JSON, whatever its placeholders stand for."""
    text = _TOKEN.sub(lambda match: "null" if match[0].startswith("<") else match[0], template)
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"Invalid InputTemplate for target {name} : {error}") from error


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)
