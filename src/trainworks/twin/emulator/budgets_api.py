"""The emulator's Budgets, called in process: for a resource type that its CloudFormation does not have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.ports import ApiError


class EmulatorBudgets:
    """See `resources.cost.BudgetsApi`. Runs on the loop, in the account of the request that is served there."""

    def __call__(self, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        status, _, body = engine.service("budgets")._DISPATCH[operation](dict(params))
        answer: dict[str, Any] = json.loads(body)
        if status >= 400:
            raise ApiError(str(answer.get("__type", "InternalErrorException")), str(answer.get("message", "")), status)
        return answer
