"""Edits of a role's statements, whatever statement an action is in."""

from __future__ import annotations

from typing import Any

from tests.unit.preflight.draft import Draft


def statements(draft: Draft, role: str) -> list[dict[str, Any]]:
    """All statements of a role's inline policies, to edit in place."""
    return [each for policy in draft.properties(role)["Policies"] for each in policy["PolicyDocument"]["Statement"]]


def without(draft: Draft, role: str, *actions: str) -> Draft:
    """The role without the actions."""
    policies = draft.properties(role)["Policies"]
    for policy in policies:
        document = policy["PolicyDocument"]
        for statement in document["Statement"]:
            listed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            statement["Action"] = [action for action in listed if action not in actions]
        document["Statement"] = [statement for statement in document["Statement"] if statement["Action"]]
    policies[:] = [policy for policy in policies if policy["PolicyDocument"]["Statement"]]
    return draft


def add(draft: Draft, role: str, **statement: Any) -> Draft:
    """The role with one more statement, an Allow unless it says otherwise."""
    policy = draft.properties(role)["Policies"][0]["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Resource": "*", **statement})
    return draft


def trust(draft: Draft, role: str) -> dict[str, Any]:
    """The only statement of the role's trust policy."""
    (statement,) = draft.properties(role)["AssumeRolePolicyDocument"]["Statement"]
    found: dict[str, Any] = statement
    return found
