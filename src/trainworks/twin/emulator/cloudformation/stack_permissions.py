"""A stack acts as somebody: each of its resources is made, changed and deleted with permissions of that one alone.

With a role (`RoleARN`) it is a session of the role, for this and all later operations; without, it is the caller of the
operation ("forward access sessions", IAM User Guide). Who it is, is noted in the stack's row, so that an operation that
a crash interrupted goes on as the same one. Nested stacks act as their root does. A denial is the resource's failure.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from trainworks.aws.iam.role_members import recipient
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudformation.handler_actions import (
    Need,
    needs_to_create,
    needs_to_delete,
    needs_to_update,
)
from trainworks.twin.emulator.iam import policy_documents
from trainworks.twin.emulator.iam.actors import Actor
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.emulator.iam.iam_resources import with_path
from trainworks.twin.emulator.iam.passing import resource_roles
from trainworks.twin.ports import ApiError
from trainworks.twin.wire.current import current_call

_CFN = "services.cloudformation"
_ROW = "_actor"
_VIA = {
    "aws:viaawsservice": "true",
    "aws:calledvia": ("cloudformation.amazonaws.com",),
    "aws:calledviafirst": "cloudformation.amazonaws.com",
    "aws:calledvialast": "cloudformation.amazonaws.com",
}
_SESSION = "AWSCloudFormation"


class StackPermissions:
    """Wraps what ministack does to the resources of stacks."""

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization
        self._cfn: Any = None
        self._deploying: ContextVar[str] = ContextVar("deploying", default="")
        self._change_set_role: ContextVar[str] = ContextVar("change_set_role", default="")

    def install(self, cloudformation: Any) -> None:
        """CloudFormation was loaded."""
        self._cfn = cloudformation
        self._note_actors()
        self._note_roles_of_change_sets()
        self._check_resources()

    def acting(self) -> Actor | None:
        """Who acts in what runs now: the stack that is deployed, or the role that the request gives one; else None."""
        stack_name = self._deploying.get()
        if stack_name:
            return self._actor(stack_name)
        role_arn = _role_arn()
        return self._authorization.actors.of_role(role_arn, _SESSION) if role_arn else None

    def _note_actors(self) -> None:
        self._note_deployments()
        for name in ("stacks", "handlers", "changesets"):
            module = engine.module(f"{_CFN}.{name}")
            module._create_stack_task_in_region = self._noting(module._create_stack_task_in_region)

    def _note_deployments(self) -> None:
        stock = engine.module(f"{_CFN}.stacks")._deploy_stack_async

        async def deploying(stack_name: str, work: Coroutine[Any, Any, None]) -> None:
            token = self._deploying.set(stack_name)
            try:
                await work
            finally:
                self._deploying.reset(token)

        def deploy_stack_async(stack_name: str, *arguments: Any, **keywords: Any) -> Coroutine[Any, Any, None]:
            # What is called here notes what it starts from before the request is answered.
            return deploying(stack_name, stock(stack_name, *arguments, **keywords))

        for name in ("stacks", "handlers", "changesets"):
            module = engine.module(f"{_CFN}.{name}")
            if hasattr(module, "_deploy_stack_async"):
                module._deploy_stack_async = deploy_stack_async

    def _noting(self, stock: Callable[..., None]) -> Callable[..., None]:
        def create_stack_task_in_region(work: Any, stack: dict[str, Any] | None, stack_id: Any = None) -> None:
            if stack is not None:
                self._note(stack)
            stock(work, stack, stack_id)

        return create_stack_task_in_region

    def _note(self, stack: dict[str, Any]) -> None:
        """Who this operation acts as. A recovered operation has no caller and keeps whom the row names."""
        role_arn = self._change_set_role.get() or _role_arn()
        if role_arn:
            stack[_ROW] = {"kind": "Role", "role_arn": role_arn}
        caller = self._authorization.caller_key()
        if caller and stack.get(_ROW, {}).get("kind") != "Role":
            stack[_ROW] = self._authorization.actors.snapshot(caller)

    def _note_roles_of_change_sets(self) -> None:
        changesets, handlers = engine.module(f"{_CFN}.changesets"), engine.module(f"{_CFN}.handlers")
        table = handlers._ACTION_HANDLERS
        stock_create, stock_execute = table["CreateChangeSet"], table["ExecuteChangeSet"]

        def found(params: Mapping[str, Any]) -> dict[str, Any]:
            name, stack = (handlers._p(params, key) for key in ("ChangeSetName", "StackName"))
            answer = changesets._find_change_set(name, stack)
            record = answer[-1] if isinstance(answer, tuple) else answer
            return record if isinstance(record, dict) else {}

        def create(params: dict[str, Any]) -> Any:
            answer = stock_create(params)
            if answer[0] < 400 and (role_arn := _role_arn()):
                found(params)["_role_arn"] = role_arn
            return answer

        def execute(params: dict[str, Any]) -> Any:
            token = self._change_set_role.set(str(found(params).get("_role_arn", "")))
            try:
                return stock_execute(params)
            finally:
                self._change_set_role.reset(token)

        table["CreateChangeSet"], table["ExecuteChangeSet"] = create, execute

    def _check_resources(self) -> None:
        provisioners, stacks = engine.module(f"{_CFN}.provisioners"), engine.module(f"{_CFN}.stacks")
        stock_create, stock_update = provisioners._provision_resource, provisioners._update_resource
        stock_delete = provisioners._delete_resource

        def provision_resource(kind: str, logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
            places = self._places(f"{stack_name}-{logical_id}")
            self._check(stack_name, kind, needs_to_create(kind, props, places), props)
            return stock_create(kind, logical_id, props, stack_name)

        def update_resource(  # noqa: PLR0917 - ministack's own signature
            kind: str,
            physical_id: str,
            old: dict[str, Any],
            new: dict[str, Any],
            stack_name: str,
            logical_id: str | None = None,
            old_attrs: dict[str, Any] | None = None,
        ) -> Any:
            if old != new and not provisioners._replacing_change(kind, old, new):
                needs = needs_to_update(kind, old, new, self._places(physical_id))
                self._check(stack_name, kind, needs, new, old)
            return stock_update(kind, physical_id, old, new, stack_name, logical_id, old_attrs)

        def delete_resource(
            kind: str,
            physical_id: str,
            props: dict[str, Any],
            stack_name: str | None = None,
            logical_id: str | None = None,
        ) -> Any:
            needs = needs_to_delete(kind, props or {}, self._places(physical_id))
            self._check(stack_name, kind, needs, {})
            return stock_delete(kind, physical_id, props, stack_name, logical_id)

        for module in (provisioners, stacks):
            module._provision_resource = provision_resource
            module._update_resource = update_resource
            module._delete_resource = delete_resource

    def _check(
        self,
        stack_name: str | None,
        kind: str,
        needs: Iterable[Need],
        props: Mapping[str, Any],
        old: Mapping[str, Any] | None = None,
    ) -> None:
        """Raise the denial as the resource's failure; of a policy document that is malformed, too."""
        try:
            policy_documents.check_resource(kind, props)
            actor = self._actor(stack_name)
            region = engine.module("core.responses").get_region()
            handed = [
                (role_arn, recipient(_service(kind), path))
                for path, role_arn in _new_roles(kind, props, old or {}, actor.principal.account)
            ]
            if not actor.grants.everything or actor.grants.session is not None:
                path = str(props.get("Path") or "")
                named = [replace(need, resource=with_path(need.resource, path)) for need in needs]
                self._require(actor, named, handed, region)
            self._authorization.check_trust(handed, region)
        except ApiError as error:
            service = kind.split("::")[1] if kind.startswith("AWS::") else "Lambda"
            handled = "AccessDenied" if "not authorized" in error.message else "InvalidRequest"
            raise ValueError(
                f'Resource handler returned message: "{error.message} (Service: {service}, '
                f'Status Code: {403 if handled == "AccessDenied" else error.status})" (HandlerErrorCode: {handled})'
            ) from error

    def _require(self, actor: Actor, needs: Iterable[Need], handed: Iterable[tuple[str, str]], region: str) -> None:
        for need in needs:
            self._authorization.require(actor, need.action, need.resource, region, _VIA)
        for role_arn, service in handed:
            given = {**_VIA, "iam:passedtoservice": service}
            self._authorization.require(actor, "iam:PassRole", role_arn, region, given)

    def _actor(self, stack_name: str | None) -> Actor:
        """Who the stack acts as: the row of its root says it."""
        stack = self._cfn._stacks.get(stack_name) if stack_name else None
        row = (lineage(self._cfn._stacks, stack)[-1] if stack is not None else {}).get(_ROW) or {"kind": "Root"}
        account = engine.module("core.responses").get_account_id()
        if row["kind"] == "Role":
            actor = self._authorization.actors.of_role(row["role_arn"], _SESSION)
        else:
            actor = self._authorization.actors.restored(row, account)
        if actor is None:
            gone = row.get("role_arn", "the caller of the operation")
            raise ApiError("AccessDenied", f"The stack is not authorized to continue: {gone} no longer exists", 403)
        return actor

    @staticmethod
    def _places(physical_id: str) -> dict[str, str]:
        account, region = engine.scope()
        return {"id": physical_id, "region": region, "account": account}


_DEEPEST = 10


def lineage(stacks: Any, stack: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stack and those that it is nested in, its root last."""
    found = [stack]
    while len(found) < _DEEPEST and (above := stacks.get(found[-1].get("_parent_stack_name") or "")) is not None:
        found.append(above)
    return found


def role_of(stack: Mapping[str, Any]) -> str:
    """The role that a root stack acts as, or "" if it acts as its caller."""
    row = stack.get(_ROW) or {}
    return str(row["role_arn"]) if row.get("kind") == "Role" else ""


def _role_arn() -> str:
    """The role that the request being answered gives the stack."""
    call = current_call()
    if call is None or not call.action.startswith("cloudformation:"):
        return ""
    return str(call.read("cloudformation", "CreateStack").get("RoleARN") or "")


def _service(kind: str) -> str:
    return kind.split("::")[1].lower() if "::" in kind else ""


def _new_roles(kind: str, props: Mapping[str, Any], old: Mapping[str, Any], account: str) -> Iterator[tuple[str, str]]:
    before = set(resource_roles(kind, old, account))
    yield from (pair for pair in resource_roles(kind, props, account) if pair not in before)
