"""One request decided: the caller's policies, the resource's own, and the condition keys, put to `aws.iam`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from trainworks.aws.iam.documents import Policy, parse
from trainworks.aws.iam.evaluate import (
    Decision,
    EndpointPolicy,
    Grants,
    Request,
    ResourcePolicy,
    decide,
    decide_by_resource,
)
from trainworks.aws.iam.principals import Principal, PrincipalKind
from trainworks.aws.iam.variables import Value
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.ec2.vpc_doors import doors_of
from trainworks.twin.emulator.iam.actors import Actor

_BUCKET = "arn:aws:s3:::"
_MUST_ALLOW = frozenset({"kms", "sts"})
# The owner's root can always see and fix a bucket's policy ("PutBucketPolicy", Amazon S3 API Reference).
_ROOT_KEEPS = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})


def decision(actor: Actor, action: str, resource: str, region: str, given: Mapping[str, Value]) -> Decision:
    """Whether `actor` may do `action` on `resource`. `given` are the request's condition keys, in lower case."""
    doors = [] if actor.interfaces is None else doors_of(actor.interfaces, action, given)
    if doors:
        given = {"aws:sourcevpce": doors[0].endpoint_id, "aws:sourcevpc": doors[0].vpc_id, **given}
    keys = RequestKeys(actor, resource, region, given)
    request = Request(actor.principal, action, resource, keys)
    policy = None if _kept_by_root(actor, action) else resource_policy(action.partition(":")[0], resource, given)
    return decide(
        request, actor.grants, policy, [EndpointPolicy(parse(each.policy), each.is_gateway) for each in doors]
    )


def service_allowed(  # noqa: PLR0917 - what a service's request consists of
    service: str, action: str, resource: str, document: object, region: str, given: Mapping[str, Value]
) -> bool:
    """Whether a resource's policy lets a service of AWS (`events.amazonaws.com`) act on it."""
    principal = Principal(service.lower(), "", PrincipalKind.SERVICE)
    keys = RequestKeys(Actor(principal, Grants(), {}), resource, region, given)
    return decide_by_resource(Request(principal, action, resource, keys), _document(document)).allowed


class RequestKeys:
    """The condition keys of a request. What is costly to know is looked up only when a condition asks for it."""

    __slots__ = ("_actor", "_given", "_region", "_resource")

    def __init__(self, actor: Actor, resource: str, region: str, given: Mapping[str, Value]) -> None:
        self._actor, self._resource, self._region, self._given = actor, resource, region, given

    def get(self, key: str) -> Value | None:
        found = self._given.get(key)
        if found is None:
            found = self._actor.keys.get(key)
        if found is not None:
            return found
        lookup = _GLOBAL.get(key)
        if lookup is not None:
            return lookup(self)
        if key.startswith("aws:resourcetag/"):
            return self._resource_tag(key.removeprefix("aws:resourcetag/"))
        return None

    def _resource_tag(self, name: str) -> str | None:
        tags = engine.module("services.tagging").resource_tags(self._resource) or {}
        return next((str(value) for key, value in tags.items() if str(key).lower() == name), None)

    @property
    def account(self) -> str:
        return self._actor.principal.account

    @property
    def kind(self) -> PrincipalKind:
        return self._actor.principal.kind

    @property
    def region(self) -> str:
        return self._region

    @property
    def resource_account(self) -> str:
        parts = self._resource.split(":", 5)
        return parts[4] if len(parts) == 6 and parts[4].isdigit() else self.account


_GLOBAL: dict[str, Callable[[RequestKeys], str | None]] = {
    "aws:principalaccount": lambda keys: keys.account or None,
    "aws:principaltype": lambda keys: None if keys.kind is PrincipalKind.SERVICE else str(keys.kind),
    "aws:principalisawsservice": lambda keys: str(keys.kind is PrincipalKind.SERVICE).lower(),
    "aws:viaawsservice": lambda _: "false",
    "aws:currenttime": lambda _: datetime.now(UTC).isoformat(),
    "aws:epochtime": lambda _: str(int(time.time())),
    "aws:requestedregion": lambda keys: keys.region,
    # Loopback never leaves the machine: what a policy asks of TLS holds without it.
    "aws:securetransport": lambda _: "true",
    "aws:sourceip": lambda _: "127.0.0.1",
    "aws:resourceaccount": lambda keys: keys.resource_account,
    "s3:resourceaccount": lambda keys: keys.resource_account,
}


def resource_policy(service: str, resource: str, given: Mapping[str, Value]) -> ResourcePolicy | None:
    """The policy of the resource itself, where its kind has one."""
    if service == "sts":
        return trust_policy(resource)
    if service == "s3" and resource.startswith(_BUCKET):
        account = engine.module("core.responses").get_account_id()
        name = resource[len(_BUCKET) :].split("/", 1)[0]
        document = engine.row(engine.service("s3")._bucket_policies, account, name)
        return ResourcePolicy(_document(document), account) if document else None
    if service in _OWN_LOOKUPS and resource.startswith("arn:"):
        return _OWN_LOOKUPS[service](resource)
    evaluator = engine.module("core.iam_evaluator")
    lookup = evaluator._RESOURCE_POLICY_LOOKUPS.get(service)
    if lookup is None or not resource.startswith("arn:"):
        return None
    module = engine.module(f"services.{lookup[0]}")
    found = getattr(module, lookup[1])(resource)
    if found is None and "s3:dataaccesspointarn" in given:
        found = module.access_point_policy_for_arn(resource)
    if found is None:
        return None
    document, account = found
    return ResourcePolicy(_document(document), account or "", service in _MUST_ALLOW)


def _bus_policy(arn: str) -> ResourcePolicy | None:
    """The policy of an event bus, `arn:aws:events:REGION:ACCOUNT:event-bus/NAME`."""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    return _stored("eventbridge", "_event_bus_policies", arn, name) if kind == "event-bus" else None


def _table_policy(arn: str) -> ResourcePolicy | None:
    """The policy of a table, which covers its indexes; a stream has one of its own."""
    return _stored("dynamodb", "_resource_policies", arn, arn.partition("/index/")[0])


def _stored(module: str, store: str, arn: str, key: str) -> ResourcePolicy | None:
    """A document from a store that is kept by account and region: that of the resource, whoever asks."""
    rows = getattr(engine.module(f"services.{module}"), store)
    if not rows._data:
        return None
    parts = arn.split(":", 5)
    with engine.module("core.responses").request_scope(parts[4], parts[3]):
        found = rows.get(key)
    if not found:
        return None
    return ResourcePolicy(_document(found.get("Policy", found)), parts[4])


_OWN_LOOKUPS: dict[str, Callable[[str], ResourcePolicy | None]] = {"events": _bus_policy, "dynamodb": _table_policy}
"""Kinds of resources whose policies ministack stores and never reads."""


def trust_policy(role_arn: str) -> ResourcePolicy | None:
    """A role's trust policy. A role that is missing trusts nobody; AWS does not tell the two apart."""
    parts = role_arn.split(":")
    if len(parts) != 6 or not parts[5].startswith("role/"):
        return None
    role = engine.row(engine.service("iam")._roles, parts[4], parts[5].rsplit("/", 1)[-1])
    known = role is not None and role.get("Arn") == role_arn
    return ResourcePolicy(_document(role["AssumeRolePolicyDocument"] if known else None), parts[4], must_allow=True)


def _document(document: object) -> Policy:
    if isinstance(document, Policy):
        return document
    return parse(document if isinstance(document, str) else json.dumps(document) if document else None)


def _kept_by_root(actor: Actor, action: str) -> bool:
    return actor.principal.kind is PrincipalKind.ROOT and action in _ROOT_KEEPS
