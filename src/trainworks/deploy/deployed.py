"""The templates of what is deployed, nested stacks included, by stack path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainworks.assembly.places import StackPath
from trainworks.deploy.nested import walk
from trainworks.deploy.stacks import StackCondition, deployed_template, describe_stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


_EMPTY = frozenset({StackCondition.ABSENT, StackCondition.IN_REVIEW, StackCondition.NEVER_CREATED})
"""Stacks that exist by name, but have no resources."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployed stack: its templates by stack path, and the parameters that the root was given."""

    stack_name: str
    templates: Mapping[StackPath, dict[str, Any]]
    parameters: Mapping[str, str]


def read_deployed(client: CloudFormationClient, stack_name: str) -> Deployed | None:
    """Read a stack from CloudFormation as it is now; None if there is none, or its template is not in JSON.

    A nested template that is not in JSON is left out, with what is nested in it.
    """
    state = describe_stack(client, stack_name)
    if state is None or state.condition in _EMPTY:
        return None
    templates: dict[StackPath, dict[str, Any]] = {}
    for stack in walk(client, state.stack_id):
        template = deployed_template(client, stack.stack_id)
        if "Resources" in template and (not stack.stack_path or stack.stack_path[:-1] in templates):
            templates[stack.stack_path] = template
    return Deployed(stack_name, templates, state.parameters) if () in templates else None
