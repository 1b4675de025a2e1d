"""IAM's policy simulator: `SimulatePrincipalPolicy`, `SimulateCustomPolicy` and the condition keys that they need.

Stock knows one resource, no context, boundary, caller or resource policy, and tells no statement. Documents are
checked as stored ones are; `aws.iam.simulation` answers. A question may be large, so it is worked on outside the loop,
and a page ends before it gets expensive: `IsTruncated` may come before `MaxItems`, as the API reference says.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any
from uuid import uuid4

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.iam.principals import Principal, PrincipalKind
from trainworks.aws.iam.simulation import (
    RESOURCE_POLICY,
    EvaluationResult,
    Matched,
    PolicySource,
    Simulation,
    context_keys,
)
from trainworks.aws.iam.validation import IDENTITY, PolicyKind, problem
from trainworks.aws.iam.variables import Value
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam.actors import Actors
from trainworks.twin.emulator.iam.policy_sources import Held, policies_of, without
from trainworks.twin.ports import ApiError
from trainworks.twin.wire.call import Request
from trainworks.twin.wire.current import current_call
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.protocols.query import Query

_ACTION = re.compile(r"^[A-Za-z0-9-]+:[A-Za-z0-9]+$")
_USER = re.compile(r"^arn:aws[a-z-]*:iam::\d{12}:user/\S+$")
_OWNER = re.compile(r"^(?:arn:aws[a-z-]*:iam::(\d{12}):root|(\d{12}))$")
_DEFAULT_ITEMS = 100
_MOST_TESTS = 50_000
"""How often a statement is asked about a request for one page."""
_RESOURCE = PolicyKind("resource policy", "InvalidInput", True, None, 131_072, free_sids=True)

Params = Mapping[str, Any]
Work = Callable[[], dict[str, Any]]


def install(iam: Any) -> None:
    """IAM was loaded."""
    stock = iam.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        call = current_call()
        operation = call.action.partition(":")[2] if call is not None else ""
        prepare = _PREPARED.get(operation)
        if call is None or prepare is None:
            return await stock(method, path, headers, body, query)
        model = service_model("iam")
        request_id = str(uuid4())
        try:
            # What it takes of the state is taken here; the rest harms nobody.
            asked = Request(method, path, headers, query, body)  # its marker is the one that was given here
            work = prepare(Query().parse(model.operation_model(operation), asked))
            output = await asyncio.to_thread(work)
            response = Query().answer(model.operation_model(operation), output, request_id)
        except ApiError as error:
            response = Query().error(model, error, request_id)
        return response.status, dict(response.headers), response.body

    iam.handle_request = handle_request


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who the simulated caller is, and the condition keys that this gives."""

    principal: Principal
    keys: Mapping[str, Value]


class _Keys:
    """The condition keys of a simulated request: those that were given, and those that describe the caller."""

    def __init__(self, given: Mapping[str, Value], caller: _Caller) -> None:
        self._found: dict[str, Value] = {**caller.keys, **given}

    def get(self, key: str) -> Value | None:
        return self._found.get(key)


def _simulate_custom_policy(params: Params) -> Work:
    caller = _caller(params, "")

    def work() -> dict[str, Any]:
        return _simulated(params, caller, _inputs(params), None)

    return work


def _simulate_principal_policy(params: Params) -> Work:
    arn = params["PolicySourceArn"]
    held = without(policies_of(arn, _account()), params.get("PolicyExclusionList", ()))
    caller = _caller(params, arn)

    def work() -> dict[str, Any]:
        own = [each.source for each in held if each.kind != "permission-boundary"]
        boundary = next((each.source for each in held if each.kind == "permission-boundary"), None)
        return _simulated(params, caller, own + _inputs(params), boundary)

    return work


def _get_context_keys_for_custom_policy(params: Params) -> Work:
    return lambda: _keys(params, ())


def _get_context_keys_for_principal_policy(params: Params) -> Work:
    held = policies_of(params["PolicySourceArn"], _account())
    return lambda: _keys(params, held)


def _keys(params: Params, held: Sequence[Held]) -> dict[str, Any]:
    texts = [each.source.text for each in held] + [each.text for each in _inputs(params)]
    return {"ContextKeyNames": context_keys(texts)}


_PREPARED: dict[str, Callable[[Params], Work]] = {
    "SimulateCustomPolicy": _simulate_custom_policy,
    "SimulatePrincipalPolicy": _simulate_principal_policy,
    "GetContextKeysForCustomPolicy": _get_context_keys_for_custom_policy,
    "GetContextKeysForPrincipalPolicy": _get_context_keys_for_principal_policy,
}


def _simulated(
    params: Params, caller: _Caller, identity: Sequence[PolicySource], boundary: PolicySource | None
) -> dict[str, Any]:
    limits = _documents(params, "PermissionsBoundaryPolicyInputList", IDENTITY)
    if len(limits) > 1:
        raise ApiError("InvalidInput", f"One permissions boundary can be in effect, {len(limits)} are given.")
    actions, resources = _questions(params)
    keys = _Keys(_given_keys(params), caller)
    own = _resource_policy(params, caller)
    simulation = Simulation(caller.principal, keys, identity, limits[0] if limits else boundary, own)
    digest = hashlib.sha256(json.dumps([actions, resources]).encode()).hexdigest()[:16]
    start, total = _start(params.get("Marker"), digest), len(actions) * len(resources)
    most = max(1, min(int(params.get("MaxItems", _DEFAULT_ITEMS)), _MOST_TESTS // max(1, simulation.statements)))
    asked = islice(product(actions, resources), start, start + most)
    listed = "ResourceArns" in params
    results = [_result(simulation.ask(action, resource), listed=listed) for action, resource in asked]
    answer: dict[str, Any] = {"EvaluationResults": results, "IsTruncated": start + most < total}
    if answer["IsTruncated"]:
        answer["Marker"] = base64.urlsafe_b64encode(f"{digest}:{start + most}".encode()).decode()
    return answer


def _questions(params: Params) -> tuple[list[str], list[str]]:
    for action in params["ActionNames"]:
        if not _ACTION.match(action):
            raise ApiError(
                "InvalidInput",
                f"Invalid action name: {action}. An action is service:Operation, as iam:CreateUser, without wildcards.",
            )
    for resource in params.get("ResourceArns", ()):
        if resource != "*" and not (resource.startswith("arn:") and resource.count(":") >= 5):
            raise ApiError("InvalidInput", f"Invalid resource ARN: {resource}")
    return list(params["ActionNames"]), list(params.get("ResourceArns") or ["*"])


def _start(marker: str | None, digest: str) -> int:
    if not marker:
        return 0
    try:
        asked, _, offset = base64.urlsafe_b64decode(marker.encode()).decode().partition(":")
        start = int(offset)
    except ValueError:
        asked, start = "", 0
    if asked != digest or start < 1:
        raise ApiError("ValidationError", f"Invalid Marker: {marker}")
    return start


def _given_keys(params: Params) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for entry in params.get("ContextEntries", ()):
        name, values = str(entry.get("ContextKeyName", "")), list(entry.get("ContextKeyValues") or [])
        several = str(entry.get("ContextKeyType", "")).endswith("List")
        if not several and len(values) != 1:
            raise ApiError(
                "InvalidInput",
                f"The context key {name} takes one value, {len(values)} are given; types that end in List take more.",
            )
        given[name.lower()] = values if several else values[0]
    return given


def _inputs(params: Params) -> list[PolicySource]:
    return _documents(params, "PolicyInputList", IDENTITY)


def _documents(params: Params, member: str, kind: PolicyKind) -> list[PolicySource]:
    sources = []
    for number, text in enumerate(params.get(member, ()), 1):
        _check(text, kind)
        sources.append(PolicySource(f"{member}.{number}", text))
    return sources


def _check(text: str, kind: PolicyKind) -> None:
    found = problem(text, kind)
    if found is not None:
        raise ApiError("InvalidInput", found.message)


def _resource_policy(params: Params, caller: _Caller) -> tuple[PolicySource, str] | None:
    text = params.get("ResourcePolicy")
    if not text:
        return None
    if not caller.principal.arn:
        raise ApiError("InvalidInput", "CallerArn is required with ResourcePolicy unless PolicySourceArn is a user's.")
    _check(text, _RESOURCE)
    owner = _OWNER.match(str(params.get("ResourceOwner") or caller.principal.account))
    if owner is None:
        raise ApiError(
            "InvalidInput", f"Invalid ResourceOwner: {params['ResourceOwner']} is not an ARN of an account's root."
        )
    return PolicySource("ResourcePolicy", text, RESOURCE_POLICY), owner[1] or owner[2]


def _caller(params: Params, source_arn: str) -> _Caller:
    """The simulated caller: `CallerArn`, or the user that is simulated. A role has its keys, and no name."""
    arn = str(params.get("CallerArn") or "")
    if arn and not _USER.match(arn):
        raise ApiError("InvalidInput", f"Invalid CallerArn: {arn} is not the ARN of a user.")
    actor = Actors("").of_arn(arn or source_arn) if arn or source_arn else None
    if actor is not None and actor.principal.kind is PrincipalKind.USER:
        return _Caller(actor.principal, actor.keys)
    if actor is not None:
        keys = {name: value for name, value in actor.keys.items() if name != "aws:userid"}
        return _Caller(Principal("", _account(), PrincipalKind.SESSION), keys)
    account = parts_of_arn(arn).account if arn else _account()
    keys = {"aws:principalarn": arn, "aws:username": arn.rsplit("/", 1)[-1]} if arn else {}
    return _Caller(Principal(arn, account, PrincipalKind.USER), keys)


def _account() -> str:
    return str(engine.module("core.responses").get_account_id())


def _result(outcome: EvaluationResult, *, listed: bool) -> dict[str, Any]:
    """An `EvaluationResult`. What a request lacks is reported for each resource if resources were given."""
    matched = [_matched(each) for each in outcome.matched]
    result: dict[str, Any] = {
        "EvalActionName": outcome.action,
        "EvalResourceName": outcome.resource,
        "EvalDecision": outcome.decision,
        "MatchedStatements": matched,
        "MissingContextValues": [] if listed else list(outcome.missing),
        "EvalDecisionDetails": outcome.details,
    }
    if outcome.within_boundary is not None:
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": outcome.within_boundary}
    if listed:
        own = {
            "EvalResourceName": outcome.resource,
            "EvalResourceDecision": outcome.decision,
            "MatchedStatements": matched,
            "MissingContextValues": list(outcome.missing),
            "EvalDecisionDetails": outcome.details,
            "PermissionsBoundaryDecisionDetail": result.get("PermissionsBoundaryDecisionDetail"),
        }
        result["ResourceSpecificResults"] = [own]
    return result


def _matched(statement: Matched) -> dict[str, Any]:
    return {
        "SourcePolicyId": statement.source.name,
        "SourcePolicyType": statement.source.kind,
        "StartPosition": {"Line": statement.start.line, "Column": statement.start.column},
        "EndPosition": {"Line": statement.end.line, "Column": statement.end.column},
    }
