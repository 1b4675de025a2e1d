"""ministack's evaluator replaced by ours, for the services that call it themselves.

SNS, SQS and Lambda ask it whether a resource's policy lets a service deliver, STS whether a role trusts a token's
provider. They import these functions by name when they are loaded, so this comes first.
"""

from __future__ import annotations

import json
from typing import Any

from trainworks.aws.iam.documents import Policy, parse
from trainworks.aws.iam.evaluate import Decision, Request, decide_by_resource
from trainworks.aws.iam.principals import Principal, PrincipalKind, session_role_arn
from trainworks.aws.iam.validation import IDENTITY, problem
from trainworks.aws.iam.variables import Value
from trainworks.twin.emulator import engine

_KINDS = {
    "User": PrincipalKind.USER,
    "AssumedRole": PrincipalKind.SESSION,
    "FederatedUser": PrincipalKind.FEDERATED,
    "Service": PrincipalKind.SERVICE,
    "WebIdentityUser": PrincipalKind.WEB_IDENTITY,
}


def install() -> None:
    """Put ours in place."""
    evaluator = engine.module("core.iam_evaluator")
    evaluator.parse_policy_document = _parse
    evaluator.validate_policy_document = _validate
    evaluator.validate_role_arn = _validate_role_arn
    evaluator.evaluate_resource_policy = _evaluate_resource_policy
    evaluator.resource_policy_allows = _resource_policy_allows
    evaluator.evaluate_trust_policy = _evaluate_trust_policy


class _Keys:
    """The condition keys of one of ministack's contexts."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def get(self, key: str) -> Value | None:
        found = engine.module("core.iam_evaluator")._resolve_condition_key(key, self._context)
        if found is None or isinstance(found, str):
            return found
        return [str(each) for each in found] if isinstance(found, (list, tuple)) else str(found)


def _request(context: Any, service: str | None = None) -> Request:
    kind = PrincipalKind.SERVICE if service else _KINDS.get(context.principal_type, PrincipalKind.ROOT)
    arn = service.lower() if service else context.principal_arn
    principal = Principal(arn, context.principal_account, kind, session_role_arn(arn))
    return Request(principal, context.action, context.resource_arn, _Keys(context))


def _parse(document: Any) -> Policy:
    return parse(document if isinstance(document, str) else json.dumps(document) if document else None)


def _validate(document: Any) -> str | None:
    found = problem(document, IDENTITY)
    return None if found is None else found.message


def _validate_role_arn(role_arn: str) -> str | None:
    """Why an ARN names no role, or None. Stock looks at the name alone; with another path it is another role."""
    if not role_arn:
        return None
    parts = role_arn.split(":")
    if len(parts) != 6 or not parts[5].startswith("role/"):
        return f"Invalid role ARN: {role_arn}"
    name = parts[5].rsplit("/", 1)[-1]
    found = engine.row(engine.service("iam")._roles, parts[4], name)
    if found is not None and found.get("Arn") == role_arn:
        return None
    return f"The role with name {name} cannot be found. (Service: IAM, Status Code: 404)"


def _evaluate_resource_policy(document: Any, context: Any, service: str | None = None, **_: Any) -> Any:
    """What a resource's policy alone says to a caller, or to the service that calls."""
    return _result(decide_by_resource(_request(context, service), _parse(document)), context)


def _resource_policy_allows(document: Any, context: Any, same_account: bool) -> bool:
    """A second question about queues and topics, whose policies were part of the decision on the request."""
    return same_account or decide_by_resource(_request(context), _parse(document)).allowed


def _evaluate_trust_policy(document: Any, caller_arn: str, context: Any = None) -> bool:
    """The trust policy was part of the decision on `AssumeRole`; a token's provider is asked about here."""
    if context is None or context.action != "sts:AssumeRoleWithWebIdentity":
        return True
    return decide_by_resource(_request(context), _parse(document)).allowed


def _result(decision: Decision, context: Any) -> Any:
    decided = "Allow" if decision.allowed else "Deny" if decision.explicit else "ImplicitDeny"
    return engine.module("core.iam_evaluator").EvalResult(decided, context.principal_arn)
