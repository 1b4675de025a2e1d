"""Lists that stock cuts at `maxResults` without a token for the rest: they are given in pages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from trainworks.twin.emulator.stock import StockResponse

_USUAL = 100
_OK = 200


def install_ecr(ecr: Any) -> None:
    """ECR was loaded. Repositories that are asked for by their names come on one page."""
    ecr._describe_repositories = _paged(ecr, ecr._describe_repositories, "repositories", "InvalidParameterException")


def install_step_functions(stepfunctions: Any) -> None:
    """Step Functions was loaded."""
    for name, listed in (
        ("_list_state_machine_versions", "stateMachineVersions"),
        ("_list_state_machine_aliases", "stateMachineAliases"),
    ):
        setattr(stepfunctions, name, _paged(stepfunctions, getattr(stepfunctions, name), listed, "InvalidToken"))


def _paged(module: Any, stock: Callable[[dict[str, Any]], StockResponse], listed: str, code: str) -> Any:
    def handle(data: dict[str, Any]) -> Any:
        status, headers, body = stock({**data, "maxResults": sys.maxsize})
        if status != _OK or data.get("repositoryNames"):
            return status, headers, body
        token = str(data.get("nextToken") or "0")
        if not token.isdecimal():
            return module.error_response_json(code, f"Invalid Token: '{token}'", 400)
        start, limit = int(token), int(data.get("maxResults") or _USUAL)
        document = json.loads(body)
        rest = document[listed][start:]
        document[listed] = rest[:limit]
        if len(rest) > limit:
            document["nextToken"] = str(start + limit)
        return module.json_response(document)

    return handle
