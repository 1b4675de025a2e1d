"""Edits of the platform's TrainingJobConfig, which is text with references inside."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.preflight.draft import Draft, draft_of


def edited(draft: Draft, old: str, new: str) -> Draft:
    """With `old` replaced in the text between the references."""
    parts: list[Any] = draft.template()["Outputs"]["TrainingJobConfig"]["Value"]["Fn::Join"][1]
    assert any(isinstance(part, str) and old in part for part in parts), old
    parts[:] = [part.replace(old, new) if isinstance(part, str) else part for part in parts]
    return draft


def without_references(draft: Draft, before: str) -> Draft:
    """Without the list that starts where a text ends with `before`."""
    parts: list[Any] = draft.template()["Outputs"]["TrainingJobConfig"]["Value"]["Fn::Join"][1]
    first = next(index for index, part in enumerate(parts) if isinstance(part, str) and part.endswith(before + '"'))
    last = next(index for index, part in enumerate(parts) if index > first and str(part).startswith('"]'))
    parts[first : last + 1] = [parts[first][:-1] + parts[last][1:]]
    return draft


def state_machine(request: dict[str, Any], **others: Any) -> Draft:
    """A small template whose state machine trains with `request`."""
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
        "Parameters": request,
        "End": True,
    }
    definition = {"StartAt": "Train", "States": {"Train": state}}
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": "arn:aws:iam::111111111111:role/machine", "DefinitionString": json.dumps(definition)},
    }
    return draft_of({"Machine": machine, **others})
