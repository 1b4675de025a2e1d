"""The walk over nested stacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from trainworks.deploy.events import STACK_TYPE
from trainworks.deploy.nested import walk

Tree = Mapping[str, Any]
"""Nested stacks by logical id, each with whether it was deleted, and those nested in it."""

TREES = st.recursive(
    st.just({}),
    lambda below: st.dictionaries(st.sampled_from("ABC"), st.tuples(st.booleans(), below), max_size=3),
    max_leaves=12,
)


class ListedStacks:
    """CloudFormation as far as it lists resources; a stack's id is its stack path."""

    def __init__(self, root: Tree) -> None:
        self._root = root

    def get_paginator(self, operation: str) -> ListedStacks:
        assert operation == "list_stack_resources"
        return self

    def paginate(self, *, StackName: str) -> Iterator[dict[str, Any]]:
        tree = self._root
        for logical_id in StackName.split("/")[1:]:
            is_deleted, tree = tree[logical_id]
            assert not is_deleted, "CloudFormation is not asked about a stack that is gone"
        for logical_id, (is_deleted, _) in tree.items():
            yield {"StackResourceSummaries": [_resource(f"{StackName}/{logical_id}", STACK_TYPE, is_deleted)]}
        yield {"StackResourceSummaries": [_resource(f"{StackName}/topic", "AWS::SNS::Topic", False)]}


def _resource(stack_id: str, resource_type: str, is_deleted: bool) -> dict[str, str]:
    return {
        "LogicalResourceId": stack_id.rpartition("/")[2],
        "PhysicalResourceId": stack_id,
        "ResourceType": resource_type,
        "ResourceStatus": "DELETE_COMPLETE" if is_deleted else "CREATE_COMPLETE",
    }


def stack_paths(tree: Tree, stack_path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The stack paths of all stacks that are there."""
    found = {stack_path}
    for logical_id, (is_deleted, below) in tree.items():
        if not is_deleted:
            found |= stack_paths(below, (*stack_path, logical_id))
    return found


@given(TREES)
def test_each_stack_comes_once_after_its_parent_and_no_deleted_one(tree: Tree) -> None:
    walked = list(walk(cast(Any, ListedStacks(tree)), "root"))
    found = [stack.stack_path for stack in walked]
    assert len(found) == len(set(found))
    assert set(found) == stack_paths(tree)
    for place, stack_path in enumerate(found):
        assert not stack_path or stack_path[:-1] in found[:place]
    assert all(stack.stack_id == "/".join(("root", *stack.stack_path)) for stack in walked)
    assert all("topic" in {each.logical_id for each in stack.resources} for stack in walked)
