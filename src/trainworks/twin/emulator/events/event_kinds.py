"""The kinds of targets that rules and schedules reach, and what a target of each kind has to be given.

`refusal` is asked when a target is put, by name of what the twin does not deliver to; the rest is delivered by
`event_targets.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainworks.twin.emulator.events.event_inputs import check_inputs
from trainworks.twin.ports import ApiError

DELIVERED = frozenset({"batch", "events", "lambda", "logs", "sns", "sqs", "states"})
"""Services by their place in a target's ARN: job queues, buses and API destinations, functions, and so on."""

UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
_INPUTS = ("Input", "InputPath", "InputTransformer")


def check_target(target: Mapping[str, Any]) -> None:
    """Raise `ApiError` for a rule's target that EventBridge refuses or the twin does not deliver to."""
    name, arn = target.get("Id", ""), str(target.get("Arn", ""))
    service = _service(arn)
    _check_kind(service, arn, "events:PutTargets")
    if sum(member in target for member in _INPUTS) > 1:
        raise _invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}.")
    if "Input" in target and not _is_json(target["Input"]):
        raise _invalid(f"JSON syntax error in input for target {name}")
    check_inputs(name, target)
    if service == "batch":
        if "BatchParameters" not in target:
            raise _invalid(f"BatchParameters must be specified for target: {name}.")
        if ":job-queue/" not in arn:
            raise _invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not that of a job queue.")
    if service in ("batch", "states") and not target.get("RoleArn"):
        raise _invalid(f"RoleArn is required for target {name}.")
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue and _service(queue) != "sqs":
        raise _invalid(f"Parameter {queue} is not valid. Reason: A dead-letter queue is an Amazon SQS queue.")


def check_schedule(schedule: Mapping[str, Any], is_served: Any) -> None:
    """Raise `ApiError` for a schedule's target that the twin does not deliver to. `is_served` takes an SDK's name."""
    target = schedule.get("Target") or {}
    arn = str(target.get("Arn", ""))
    if arn.startswith(UNIVERSAL):
        service, _, operation = arn.removeprefix(UNIVERSAL).partition(":")
        if not operation or is_served(service) is None:
            raise _not_delivered(arn, "scheduler:CreateSchedule")
        if not _is_json(target.get("Input", "{}")):
            raise _invalid(f"The Input of the target {arn} is not JSON.")
        return
    service = _service(arn)
    if service in ("batch", "logs"):
        raise _invalid(f"Provided Arn {arn} is not supported as a templated target; use {UNIVERSAL}<service>:<api>.")
    _check_kind(service, arn, "scheduler:CreateSchedule")


def _check_kind(service: str, arn: str, operation: str) -> None:
    if service not in DELIVERED:
        raise _not_delivered(arn, operation)


def _not_delivered(arn: str, operation: str) -> ApiError:
    return ApiError(
        "NotImplemented",
        f"trainworks does not deliver events to {arn} ({operation}); see docs/reference/fidelity.md",
        501,
    )


def _service(arn: str) -> str:
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        raise _invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
    return parts[2]


def _is_json(text: Any) -> bool:
    try:
        json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)
