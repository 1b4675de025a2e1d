"""Corrects CloudFormation: nested stacks, and operations that can still end after a crash.

Stock deploys a nested stack by a second, simpler engine: updates lose attributes, a failed create leaves the child and
its resources behind, a delete swallows errors. Here a nested stack goes through the same `_deploy_stack_async` and
`_delete_stack_async` as any other, on the loop that owns the state, while the parent waits in its worker thread.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import secrets
import uuid
from collections.abc import Callable, Coroutine, Mapping
from types import ModuleType
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudformation.stack_recovery import OPERATION, Recovery, forget_operation
from trainworks.twin.emulator.cloudformation.type_changes import updating
from trainworks.twin.emulator.durable.change_tracking import ChangeTracker

STACK_TYPE = "AWS::CloudFormation::Stack"

_LOG = logging.getLogger(__name__)
_SUCCESS = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_FAILED = ("CREATE_FAILED", "UPDATE_FAILED")
_MAX_CAUSE = 1000


class Stacks:
    """Installs the corrections when CloudFormation is loaded, and has interrupted operations ended at start."""

    def __init__(self, tracker: ChangeTracker, flush: Callable[[], None]) -> None:
        self._tracker = tracker
        self._flush = flush
        self._cfn: Any = None
        self._checks: Any = None
        self._read_template: Any = None
        self._stacks: Any = None
        self._provisioners: Any = None

    def install(
        self, cloudformation: ModuleType, checks: ModuleType, read_template: Callable[[str], dict[str, Any]]
    ) -> None:
        """Replace what stock does for nested stacks, and give every operation a write set from its start to its end.

        `checks` is `deploy_checks`, which is loaded with CloudFormation.
        """
        self._cfn = cloudformation
        self._checks = checks
        self._read_template = read_template
        self._stacks = engine.module("services.cloudformation.stacks")
        self._provisioners = engine.module("services.cloudformation.provisioners")
        self._watch_operations()
        self._note_what_is_found_by_id()
        self._keep_what_an_update_starts_from()
        self._keep_what_is_asked_of_others()
        self._say_why_it_rolls_back()
        self._provisioners._RESOURCE_HANDLERS[STACK_TYPE] = {
            "create": self._create_nested,
            "update": self._update_nested,
            "delete": self._delete_nested,
        }

    # -- operations -------------------------------------------------------------------------------------------

    def _watch_operations(self) -> None:
        """Every background task of a stack has a write set, whichever module scheduled it."""
        stock = self._stacks._create_stack_task_in_region

        def create_stack_task_in_region(coro: Coroutine[Any, Any, None], stack: Any, stack_id: Any = None) -> None:
            stock(self._watched(coro), stack, stack_id)

        for name in ("stacks", "handlers", "changesets"):
            engine.module(f"services.cloudformation.{name}")._create_stack_task_in_region = create_stack_task_in_region

    async def _watched(self, operation: Coroutine[Any, Any, None]) -> None:
        with self._tracker.operation():
            await operation

    def _replace(self, name: str, function: Callable[..., Any]) -> None:
        """Put a function in place of stock's wherever it was imported."""
        for module_name in ("stacks", "handlers", "changesets"):
            module = engine.module(f"services.cloudformation.{module_name}")
            if hasattr(module, name):
                setattr(module, name, function)

    def _note_what_is_found_by_id(self) -> None:
        """A walk finds a stack by its ARN, and the request may change it."""
        handlers = engine.module("services.cloudformation.handlers")
        stock = handlers._resolve_stack

        def resolve_stack(name: str) -> dict[str, Any] | None:
            found: dict[str, Any] | None = stock(name)
            return None if found is None else self._cfn._stacks.get(found["StackName"])

        handlers._resolve_stack = resolve_stack

    def _keep_what_an_update_starts_from(self) -> None:
        """It is in the stack's row before the update is acknowledged, until it ends: for a roll-back after a crash."""
        stock, resolve = self._stacks._deploy_stack_async, self._stacks._resolve_stack_outputs

        def deploy_stack_async(stack_name: str, *arguments: Any, **keywords: Any) -> Coroutine[Any, Any, None]:
            stack = self._cfn._stacks[stack_name]
            forget_operation(stack)
            if (previous := keywords.get("previous_stack")) is not None:
                stack["_previous_stack"] = previous
            return deploy(stack_name, *arguments, **keywords)

        async def deploy(stack_name: str, *arguments: Any, **keywords: Any) -> None:
            stack = self._cfn._stacks[stack_name]
            token = self._checks.deployed.set(arguments[1])
            try:
                await stock(stack_name, *arguments, **keywords)
            finally:
                self._checks.deployed.reset(token)
            if stack["StackStatus"] in _SUCCESS:
                self._checks.forget_exports(stack)
            stack.pop("_update", None)
            # A nested stack keeps what it started from until its parent has taken note of the result.
            for ended in [*self._children(stack), *([] if "ParentId" in stack else [stack])]:
                forget_operation(ended)

        def resolve_stack_outputs(*arguments: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
            # The last that can fail an update: what follows deletes what it replaced or removed.
            outputs, exports = resolve(*arguments)
            resources, parameters, stack_name = arguments[2], arguments[3], arguments[5]
            stack = self._cfn._stacks[stack_name]
            before = stack.get("_previous_stack", {}).get("_resources", {})
            if _physical_ids(before) - _physical_ids(resources):
                made = {"template": self._checks.deployed.get(), "parameters": parameters}
                stack["_update"] = {**made, "outputs": outputs, "exports": exports}
                self._flush()
            return outputs, exports

        self._replace("_deploy_stack_async", deploy_stack_async)
        self._replace("_resolve_stack_outputs", resolve_stack_outputs)

    def _keep_what_is_asked_of_others(self) -> None:
        """A deletion, a continued roll-back and an import are in the stack's row before they are acknowledged."""
        delete, go_on = self._stacks._delete_stack_async, self._stacks._continue_update_rollback_async
        changesets = engine.module("services.cloudformation.changesets")
        adopt = changesets._import_resources_async

        def delete_stack_async(
            stack_name: str, stack_id: str, retain_resources: frozenset[str] = frozenset(), force: bool = False
        ) -> Coroutine[Any, Any, None]:
            stack = self._cfn._stacks.get(stack_name) or {}
            stack["_deletion"], stack["StackStatus"] = (sorted(retain_resources), force), "DELETE_IN_PROGRESS"
            return _then_forget(stack, delete(stack_name, stack_id, retain_resources, force=force))

        def continue_update_rollback_async(
            stack_name: str, stack_id: str, resources_to_skip: frozenset[str]
        ) -> Coroutine[Any, Any, None]:
            stack = self._cfn._stacks[stack_name]
            stack["_skipped"], stack["StackStatus"] = sorted(resources_to_skip), "UPDATE_ROLLBACK_IN_PROGRESS"
            return _then_forget(stack, go_on(stack_name, stack_id, resources_to_skip))

        def import_resources_async(
            change_set: dict[str, Any], stack: dict[str, Any], new_stack: bool
        ) -> Coroutine[Any, Any, None]:
            stack["_importing"] = {"before": list(stack.get("_resources", {})), "new": new_stack}
            return _then_forget(stack, adopt(change_set, stack, new_stack))

        self._replace("_delete_stack_async", delete_stack_async)
        self._replace("_continue_update_rollback_async", continue_update_rollback_async)
        changesets._import_resources_async = import_resources_async

    def _say_why_it_rolls_back(self) -> None:
        """A roll-back's event and the stack's reason name what failed; stock's `Rollback requested` names nothing.

        What the roll-back of an update goes back to is in the row before it is acknowledged, as for the update.
        """
        stock = self._stacks._roll_back_operation

        def roll_back_operation(
            stack_name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any], reason_override: str = ""
        ) -> Coroutine[Any, Any, None]:
            if operation.get("is_update") and operation.get("previous_stack"):
                stack["_previous_stack"] = operation["previous_stack"]
            return roll_back(stack_name, stack_id, stack, operation, reason_override)

        async def roll_back(
            stack_name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any], reason_override: str
        ) -> None:
            failed, cause = operation.get("failed_logical_id"), self._last_failure(stack_id)
            reason = f"The following resource(s) failed to create: [{failed}]." if failed else cause
            if not reason_override and not operation.get("is_update") and reason:
                reason_override = f"{reason} Rollback requested by user."
            await stock(stack_name, stack_id, stack, operation, reason_override)
            if stack["StackStatus"].endswith("ROLLBACK_COMPLETE") and cause:
                stack["StackStatusReason"] = f"Resource {failed}: {cause}" if failed else cause
            if "ParentId" not in stack:
                forget_operation(stack)

        self._replace("_roll_back_operation", roll_back_operation)

    def _last_failure(self, stack_id: str) -> str:
        """The reason of the event that ended the operation."""
        events = self._cfn._stack_events.get(stack_id, [])
        found = (event["ResourceStatusReason"] for event in reversed(events) if event["ResourceStatus"] in _FAILED)
        return str(next(found, ""))

    async def recover(self) -> None:
        """Bring every stack whose operation was interrupted to a state that can be worked with."""
        await Recovery(self._cfn, self._stacks, self._checks, self._children, self._watched).run()

    def _children(self, stack: Mapping[str, Any]) -> list[dict[str, Any]]:
        everything = list(dict.values(self._cfn._stacks._data))
        names = [each["StackName"] for each in everything if each.get("ParentId") == stack["StackId"]]
        return [self._cfn._stacks[name] for name in names]  # by the table, so that what is changed is written

    # -- nested stacks ----------------------------------------------------------------------------------------

    def _create_nested(self, logical_id: str, props: dict[str, Any], parent_name: str) -> tuple[str, dict[str, Any]]:
        answer: tuple[str, dict[str, Any]] = self._on_loop(self._deploy_new(logical_id, props, parent_name))
        return answer

    def _update_nested(
        self, physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], parent_name: str
    ) -> tuple[str, dict[str, Any]]:
        answer: tuple[str, dict[str, Any]] = self._on_loop(self._deploy_existing(physical_id, new_props, parent_name))
        return answer

    def _delete_nested(self, physical_id: str, props: dict[str, Any]) -> None:
        self._on_loop(self._delete(physical_id))

    def _on_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run on the loop that owns the state; the caller is the parent's worker thread and waits."""
        loop = engine.module("app")._MAIN_LOOP
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    async def _deploy_new(self, logical_id: str, props: dict[str, Any], parent_name: str) -> tuple[str, dict[str, Any]]:
        template, body, parameters = await self._prepare(props, parent_name)
        parent = self._cfn._stacks[parent_name]
        name = f"{parent_name}-{logical_id}-{secrets.token_hex(6).upper()}"
        _, _, region, account, _ = parts_of_arn(parent["StackId"])
        stack_id = f"arn:aws:cloudformation:{region}:{account}:stack/{name}/{uuid.uuid4()}"
        child = self._record(props, parent, name, stack_id, template, body, parameters)
        child |= {"CreationTime": child["LastUpdatedTime"], "StackStatus": "CREATE_IN_PROGRESS", "_resources": {}}
        self._cfn._stacks[name] = child
        self._cfn._stack_events[stack_id] = []
        self._event(parent, logical_id, "CREATE_IN_PROGRESS", "Resource creation Initiated", stack_id)
        self._event(child, name, "CREATE_IN_PROGRESS", "User Initiated", stack_id)
        # The parent rolls the child back with everything else, so the child itself stops where it failed.
        await self._stacks._deploy_stack_async(name, stack_id, template, parameters, True, child["Tags"])
        if child["StackStatus"] not in _SUCCESS:
            reason = f"Embedded stack {stack_id} was not successfully created: {_first_failure(child, self._cfn)}"
            if parent.get("DisableRollback"):
                parent.setdefault("_resources", {})[logical_id] = _failed_resource(logical_id, stack_id, props, reason)
            else:
                await self._stacks._delete_stack_async(name, stack_id)
            raise ValueError(reason)
        return stack_id, _outputs(child)

    async def _deploy_existing(
        self, physical_id: str, props: dict[str, Any], parent_name: str
    ) -> tuple[str, dict[str, Any]]:
        name = self._provisioners._nested_stack_lookup_name(physical_id)
        child = self._cfn._stacks[name]
        template, body, parameters = await self._prepare(props, parent_name, child)
        previous = copy.deepcopy({key: value for key, value in child.items() if key not in OPERATION})
        parent = self._cfn._stacks[parent_name]
        if template == previous["_template"] and parameters == previous["_resolved_params"]:
            return child["StackId"], _outputs(child)
        child |= self._record(props, parent, name, child["StackId"], template, body, parameters)
        child["StackStatus"] = "UPDATE_IN_PROGRESS"
        self._event(child, name, "UPDATE_IN_PROGRESS", "User Initiated", child["StackId"])
        await self._stacks._deploy_stack_async(
            name, child["StackId"], template, parameters, False, child["Tags"], is_update=True, previous_stack=previous
        )
        if child["StackStatus"] not in _SUCCESS:
            failure = _first_failure(child, self._cfn)
            raise ValueError(f"Embedded stack {child['StackId']} was not successfully updated: {failure}")
        return child["StackId"], _outputs(child)

    async def _delete(self, physical_id: str) -> None:
        name = self._provisioners._nested_stack_lookup_name(physical_id)
        child = self._cfn._stacks.get(name)
        if child is None or child["StackStatus"] == "DELETE_COMPLETE":
            return
        for output in child.get("Outputs", []):
            if users := self._checks.importers(str(output.get("ExportName", "")), child["StackId"]):
                named = f"Export {output['ExportName']} cannot be deleted as it is in use by {' and '.join(users)}"
                raise ValueError(f"Embedded stack {child['StackId']} was not successfully deleted: {named}")
        await self._stacks._delete_stack_async(name, child["StackId"])
        if child["StackStatus"] != "DELETE_COMPLETE":
            raise ValueError(
                f"Embedded stack {child['StackId']} was not successfully deleted: {child.get('StackStatusReason', '')}"
            )

    async def _prepare(
        self, props: Mapping[str, Any], parent_name: str, child: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], str, dict[str, Any]]:
        """(template, its text, resolved parameters). Raises `ValueError` with the reason of the failure.

        `child` is the stack that is there already.
        """
        url = props.get("TemplateURL")
        if not url:
            raise ValueError("Property TemplateURL cannot be empty.")
        body, error = engine.module("services.cloudformation.helpers")._resolve_template({"TemplateURL": [url]})
        if error is not None or not body:
            raise ValueError(f"S3 error: the template {url} cannot be read")
        language = engine.module("services.cloudformation.engine")
        template = await asyncio.to_thread(self._read_template, body)
        self._provisioners._check_nested_stack_capabilities(parent_name, template)
        given = props.get("Parameters") or {}
        if any(isinstance(value, list) for value in given.values()):
            raise ValueError("Value of property Parameters must be an object with String (or simple type) properties")
        provided = [{"Key": key, "Value": "" if value is None else str(value)} for key, value in given.items()]
        template = language._apply_transforms(template, provided)
        parameters = language._resolve_parameters(template, provided)
        conditions = language._evaluate_conditions(template, parameters)
        with updating(child):
            language.validate_template_support(template, conditions, params=parameters)
        return template, body, parameters

    def _record(  # noqa: PLR0917 - the parts of one row
        self,
        props: Mapping[str, Any],
        parent: Mapping[str, Any],
        name: str,
        stack_id: str,
        template: dict[str, Any],
        body: str,
        parameters: dict[str, Any],
    ) -> dict[str, Any]:
        """The fields of a child's row that an operation sets; tags of the parent reach the child's resources."""
        language = engine.module("services.cloudformation.engine")
        tags = self._provisioners._tag_map(parent.get("Tags")) | self._provisioners._tag_map(props.get("Tags"))
        return {
            "StackName": name,
            "StackId": stack_id,
            "StackStatusReason": "",
            "LastUpdatedTime": self._stacks.now_iso(),
            "Description": template.get("Description", ""),
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value["Value"], "NoEcho": value["NoEcho"]}
                for key, value in parameters.items()
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items() if not key.startswith("aws:")],
            "Outputs": [],
            "DisableRollback": bool(parent.get("DisableRollback")),
            "_template": template,
            "_template_body": body,
            "_resolved_params": parameters,
            "_conditions": language._evaluate_conditions(template, parameters),
            "_parent_stack_name": parent["StackName"],
            "_region": parts_of_arn(parent["StackId"]).region,
            "ParentId": parent["StackId"],
            "RootId": parent.get("RootId") or parent["StackId"],
            "Capabilities": list(parent.get("Capabilities", [])),
        }

    def _event(self, stack: Mapping[str, Any], logical_id: str, status: str, reason: str, physical_id: str) -> None:
        self._stacks._add_event(
            stack["StackId"], stack["StackName"], logical_id, STACK_TYPE, status, reason, physical_id
        )


def _physical_ids(resources: Mapping[str, Any]) -> set[str]:
    return {resource["PhysicalResourceId"] for resource in resources.values()}


async def _then_forget(stack: dict[str, Any], operation: Coroutine[Any, Any, None]) -> None:
    await operation
    forget_operation(stack)


def _first_failure(child: Mapping[str, Any], cfn: Any) -> str:
    """The reason that AWS gives a parent, which of the child's resources failed, and why, so that the root says it."""
    failed = [
        event
        for event in cfn._stack_events.get(child["StackId"], [])
        if event["ResourceStatus"] in _FAILED and event["LogicalResourceId"] != child["StackName"]
    ]
    if failed:
        verb = "create" if child["StackStatus"].startswith(("CREATE", "ROLLBACK", "DELETE")) else "update"
        logical_id, cause = failed[-1]["LogicalResourceId"], failed[-1]["ResourceStatusReason"]
        return f"The following resource(s) failed to {verb}: [{logical_id}]. {logical_id}: {cause[:_MAX_CAUSE]}"
    return str(child.get("StackStatusReason") or child["StackStatus"])


def _failed_resource(logical_id: str, stack_id: str, props: dict[str, Any], reason: str) -> dict[str, Any]:
    return {
        "PhysicalResourceId": stack_id,
        "ResourceType": STACK_TYPE,
        "ResourceStatus": "CREATE_FAILED",
        "ResourceStatusReason": reason,
        "LogicalResourceId": logical_id,
        "Properties": props,
        "Attributes": {},
    }


def _outputs(child: Mapping[str, Any]) -> dict[str, Any]:
    return {f"Outputs.{output['OutputKey']}": output["OutputValue"] for output in child["Outputs"]}
