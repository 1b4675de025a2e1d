"""Ends what a crash interrupted: every stack reaches a status that its owner can work with.

What that needs is in the stack's row before the operation is acknowledged, until the operation ends:

    _previous_stack   what an update, or the roll-back of one, started from
    _update           template, parameters, outputs, exports of an update that only has to clean up
    _deletion         the resources that a deletion keeps, and whether it is forced
    _skipped          the resources that a continued roll-back leaves as they are
    _importing        the resources that a stack had before it adopted others
    _made             the resource that was made last in another database, as the stack will know it

A creation is rolled back and an update goes back to what it started from. A deletion, a continued roll-back and the
clean-up of an update are finished: an update that has all its resources has begun to delete those from before.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from trainworks.twin.emulator import engine

OPERATION = ("_previous_stack", "_update", "_deletion", "_skipped", "_importing", "_made")

_LOG = logging.getLogger(__name__)
_REASON = "The operation was interrupted by the end of the server."
_STACK_TYPE = "AWS::CloudFormation::Stack"

Stack = dict[str, Any]


def is_interrupted(stack: Mapping[str, Any]) -> bool:
    """Whether a stack's row was written in the middle of an operation. A change set under review is none."""
    status = str(stack["StackStatus"])
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def forget_operation(stack: Stack) -> None:
    """The operation ended, and nobody will have to finish it or to take it back."""
    for name in OPERATION:
        stack.pop(name, None)


def note_made(stack: Stack, logical_id: str, kind: str, physical_id: str, properties: Mapping[str, Any]) -> None:
    """A resource was made or updated, and its stack has not recorded that yet."""
    # One at a time: of the one before, the stack has taken note.
    stack["_made"] = {
        "PhysicalResourceId": physical_id,
        "ResourceType": kind,
        "ResourceStatus": "CREATE_COMPLETE",
        "LogicalResourceId": logical_id,
        "Properties": dict(properties),
        "Attributes": {},
    }


def _note_made(stack: Stack) -> None:
    resources = stack.setdefault("_resources", {})
    before = (stack.get("_previous_stack") or {}).get("_resources", {})
    if (made := stack.get("_made")) is not None:
        logical_id = made["LogicalResourceId"]
        if resources.get(logical_id) in (None, before.get(logical_id)):
            resources[logical_id] = made


class Recovery:
    """Ends the operations that the last server did not end. `stacks` and `cfn` are stock's modules.

    `checks` is `deploy_checks`; `children` gives a stack's nested ones, `watched` has what an operation does written.
    """

    def __init__(
        self,
        cfn: Any,
        stacks: Any,
        checks: Any,
        children: Callable[[Mapping[str, Any]], list[Stack]],
        watched: Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, None]],
    ) -> None:
        self._cfn = cfn
        self._stacks = stacks
        self._checks = checks
        self._children = children
        self._watched = watched

    async def run(self) -> None:
        """Children first: their parents find them at rest."""
        everything = list(dict.items(self._cfn._stacks._data))
        interrupted = [(scoped, stack) for scoped, stack in everything if is_interrupted(stack)]
        interrupted.sort(key=lambda entry: -self._depth(entry[1]))
        scope = engine.module("core.responses").request_scope
        for (account, region, name), stack in interrupted:
            _LOG.warning("stack %s was interrupted in %s", name, stack["StackStatus"])
            with scope(account, region):
                await self._watched(self._recover(name, stack))

    def _depth(self, stack: Mapping[str, Any]) -> int:
        depth, parent = 0, stack.get("ParentId")
        while parent:
            depth += 1
            found = (each for each in dict.values(self._cfn._stacks._data) if each["StackId"] == parent)
            parent = next((each.get("ParentId") for each in found), None)
        return depth

    async def _recover(self, name: str, stack: Stack) -> None:
        stack = self._cfn._stacks[name]  # by its table, so that it is written
        _note_made(stack)
        await self._recover_unnoted(stack)
        await self._end(name, stack)
        for ended in [*self._children(stack), *([] if "ParentId" in stack else [stack])]:
            forget_operation(ended)
        self._end_change_sets(stack)

    async def _end(self, name: str, stack: Stack) -> None:
        status, stack_id = stack["StackStatus"], stack["StackId"]
        nested_create = "ParentId" in stack and status in ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
        if status == "DELETE_IN_PROGRESS" or nested_create:
            retained, force = stack.get("_deletion", ((), False))
            await self._stacks._delete_stack_async(name, stack_id, frozenset(retained), force=force)
        elif status.startswith("IMPORT_"):
            self._release_imported(name, stack)
        elif "_skipped" in stack and status == "UPDATE_ROLLBACK_IN_PROGRESS":
            skipped = frozenset(stack["_skipped"])
            await self._stacks._continue_update_rollback_async(name, stack_id, skipped)
        elif "_update" in stack and not status.startswith("UPDATE_ROLLBACK"):
            await self._clean_up(name, stack)
        else:
            await self._roll_back(name, stack)

    async def _recover_unnoted(self, stack: Stack) -> None:
        """Undo what nested stacks had completed when the server ended before their parent took note of it."""
        if "_update" in stack:
            return  # the parent had taken note of all
        noted = {resource["PhysicalResourceId"]: resource for resource in stack.get("_resources", {}).values()}
        previous = (stack.get("_previous_stack") or {}).get("_resources", {})
        before = {resource["PhysicalResourceId"]: resource for resource in previous.values()}
        for child in self._children(stack):
            child_id = child["StackId"]
            if child["StackStatus"] == "DELETE_COMPLETE":
                continue
            if child_id not in noted and child_id not in before:
                await self._stacks._delete_stack_async(child["StackName"], child_id)
            elif "_previous_stack" in child and noted.get(child_id) == before.get(child_id):
                await self._take_back(child["StackName"], child)

    async def _take_back(self, name: str, stack: Stack) -> None:
        """Undo an update that was complete: what it had removed is made again, by an update to what was before."""
        previous = stack["_previous_stack"]
        if stack["StackStatus"] != "UPDATE_COMPLETE":
            return  # it was rolled back already
        current = copy.deepcopy({key: value for key, value in stack.items() if key not in OPERATION})
        for key in ("_template_body", "_conditions", "Parameters", "Tags"):
            stack[key] = previous.get(key, stack.get(key))
        stack["StackStatus"] = "UPDATE_IN_PROGRESS"
        stack_id, template, parameters = stack["StackId"], previous["_template"], previous["_resolved_params"]
        self._stacks._add_event(stack_id, name, name, _STACK_TYPE, "UPDATE_IN_PROGRESS", _REASON, stack_id)
        await self._stacks._deploy_stack_async(
            name, stack_id, template, parameters, False, stack["Tags"], is_update=True, previous_stack=current
        )

    async def _roll_back(self, name: str, stack: Stack) -> None:
        previous = stack.get("_previous_stack")
        before = previous.get("_resources", {}) if previous else {}
        touched = [
            logical_id
            for logical_id, resource in stack.get("_resources", {}).items()
            if before.get(logical_id) != resource
        ]
        operation = self._stacks._failed_operation(
            previous is not None,
            previous,
            touched,
            None,
            None,
            [],
            False,
            stack.get("_template") or {},
            stack.get("_resolved_params") or {},
            False,
            stack.get("Tags") or [],
            (previous or {}).get("Tags") or [],
        )
        await self._stacks._roll_back_operation(name, stack["StackId"], stack, operation, reason_override=_REASON)

    async def _clean_up(self, name: str, stack: Stack) -> None:
        """Delete what an update had replaced or removed; it is complete then, as stock's `_deploy_stack_async` ends."""
        update, previous = stack["_update"], stack["_previous_stack"]
        resources, old = stack["_resources"], previous.get("_resources", {})
        wanted = set(self._stacks._topological_sort(update["template"]["Resources"], stack.get("_conditions", {})))
        stack["StackStatus"] = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        # A resource that was removed and is gone from the row was deleted before the crash.
        for logical_id in reversed([each for each in old if each in resources]):
            if logical_id not in wanted:
                if await self._is_gone(name, stack, logical_id, previous, "DeletionPolicy"):
                    del resources[logical_id]
            elif resources[logical_id]["PhysicalResourceId"] != old[logical_id]["PhysicalResourceId"]:
                await self._is_gone(name, stack, logical_id, previous, "UpdateReplacePolicy")
        self._cfn._exports.update(update["exports"])
        stack["_template"], stack["_resolved_params"] = update["template"], update["parameters"]
        stack["Outputs"], stack["StackStatus"] = update["outputs"], "UPDATE_COMPLETE"
        del stack["_update"]
        self._checks.forget_exports(stack)
        self._event(name, stack, stack["StackStatus"])

    async def _is_gone(self, name: str, stack: Stack, logical_id: str, previous: Stack, attribute: str) -> bool:
        """Delete one resource from before, as its policy says; whether the stack has to do with it no more."""
        resource, stacks = previous["_resources"][logical_id], self._stacks
        kind, physical_id, properties = (
            resource["ResourceType"], resource["PhysicalResourceId"], resource.get("Properties", {})
        )  # fmt: skip
        source = stack["_update"]["template"] if attribute == "UpdateReplacePolicy" else previous["_template"]
        policy = stacks._resource_policy(
            source.get("Resources", {}).get(logical_id), attribute, previous["_resources"],
            previous.get("_resolved_params", {}), previous.get("_conditions", {}), source.get("Mappings", {}),
            name, stack["StackId"],
        )  # fmt: skip
        if policy in stacks._RETAINING_POLICIES:
            stacks._add_event(stack["StackId"], name, logical_id, kind, "DELETE_SKIPPED", physical_id=physical_id)
            return True
        arguments = (kind, physical_id, properties, name, logical_id)
        try:
            if stacks._runs_on_worker_thread(kind):
                await stacks.run_reentrant(stacks._delete_resource, *arguments)
            else:
                stacks._delete_resource(*arguments)
        except Exception as error:  # noqa: BLE001 - handlers raise what they like; the next update tries again
            _LOG.exception("%s of stack %s was replaced or removed and cannot be deleted", logical_id, name)
            stacks._add_event(stack["StackId"], name, logical_id, kind, "DELETE_FAILED", str(error), physical_id)
            if (left := stack["_resources"].get(logical_id)) is not None and attribute == "DeletionPolicy":
                left |= {"ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": str(error)}
            return False
        return True

    def _release_imported(self, name: str, stack: Stack) -> None:
        """An import that did not end adopts nothing; the resources stay as they were."""
        importing = stack["_importing"]
        for logical_id in [each for each in stack["_resources"] if each not in importing["before"]]:
            del stack["_resources"][logical_id]
        stack["StackStatus"] = "ROLLBACK_COMPLETE" if importing["new"] else "IMPORT_ROLLBACK_COMPLETE"
        self._event(name, stack, stack["StackStatus"])

    def _end_change_sets(self, stack: Stack) -> None:
        """A change set that was being executed is so no more."""
        status = stack["StackStatus"]
        succeeded = status.endswith("_COMPLETE") and "ROLLBACK" not in status and not status.startswith("DELETE")
        for change_set in list(self._cfn._change_sets.values()):
            if change_set.get("StackId") == stack["StackId"] and change_set["ExecutionStatus"] == "EXECUTE_IN_PROGRESS":
                change_set["ExecutionStatus"] = "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"

    def _event(self, name: str, stack: Mapping[str, Any], status: str) -> None:
        self._stacks._add_event(stack["StackId"], name, name, _STACK_TYPE, status, _REASON, stack["StackId"])
