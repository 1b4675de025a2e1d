"""TW20: a name that has to be unique in a wider space than the stack's account and region."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trainworks.assembly.graph import Graph, Resource, Unknown
from trainworks.assembly.physical_ids import TOKEN
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings


@dataclass(frozen=True, slots=True)
class _Space:
    """Where a name must be unique: among all accounts (`worldwide`), or in all regions of one account."""

    property_: str
    worldwide: bool


_SPACES: Mapping[str, _Space] = {
    "AWS::S3::Bucket": _Space("BucketName", worldwide=True),
    "AWS::Cognito::UserPoolDomain": _Space("Domain", worldwide=True),
    "AWS::ElasticBeanstalk::Environment": _Space("CNAMEPrefix", worldwide=True),
    "AWS::IAM::Role": _Space("RoleName", worldwide=False),
    "AWS::IAM::User": _Space("UserName", worldwide=False),
    "AWS::IAM::Group": _Space("GroupName", worldwide=False),
    "AWS::IAM::ManagedPolicy": _Space("ManagedPolicyName", worldwide=False),
    "AWS::IAM::InstanceProfile": _Space("InstanceProfileName", worldwide=False),
    "AWS::CloudWatch::Dashboard": _Space("DashboardName", worldwide=False),
    "AWS::CloudFront::CachePolicy": _Space("CachePolicyConfig.Name", worldwide=False),
}


_HASH = re.compile(r"(?=[0-9a-z]*[0-9])(?=[0-9a-z]*[a-z])[0-9a-z]{6,}$")
"""The end of a name that a program made: it may be a digest of account and region, which a template cannot show."""


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for resource in graph.of_type(*_SPACES):
        space = _SPACES[resource.type]
        name = resource.get(*space.property_.split("."))
        if not isinstance(name, str) or isinstance(name, Unknown) or _is_regional(resource):
            continue
        if _is_of_one_stack(resource, space, name):
            continue
        missing = _missing(graph, name, space)
        if missing:
            yield _fault(resource, space, name, missing)


def _is_regional(resource: Resource) -> bool:
    """S3 keeps the names of an account's own regional namespace apart."""
    return bool(resource.get("BucketNamespace") == "account-regional")


def _is_of_one_stack(resource: Resource, space: _Space, name: str) -> bool:
    """Whether a part of the name is in no other stack: of the stack's id, or of an id that AWS makes up."""
    written = resource.raw.get("Properties", {}).get(space.property_.partition(".")[0])
    return "AWS::StackId" in json.dumps(written) or TOKEN.search(name) is not None


def _missing(graph: Graph, name: str, space: _Space) -> list[str]:
    needed = {"the account": graph.account, "the region": graph.region}
    if not space.worldwide:
        del needed["the account"]
    return [what for what, value in needed.items() if value not in name]


def _fault(resource: Resource, space: _Space, name: str, missing: list[str]) -> Fault:
    lacks = " and ".join(missing)
    if space.worldwide and _HASH.search(name):
        return Fault(
            resource,
            f"{space.property_} must be unique worldwide and does not show {lacks}: unless its "
            "ending is made from them, the second deployment fails",
            name,
            f"leave out {space.property_}, or put {lacks} into it",
            Severity.WARNING,
        )
    if space.worldwide:
        return Fault(
            resource,
            f"{space.property_} must be unique worldwide and lacks {lacks}: the second deployment, or the first if "
            "somebody else has the name, fails",
            name,
            f"leave out {space.property_}, or put {lacks} into it",
            # With the account in it nobody else has the name: a second region is all that fails.
            Severity.WARNING if missing == ["the region"] else None,
        )
    return Fault(
        resource,
        f"{space.property_} must be unique in all regions of the account and lacks {lacks}: the same environment in a "
        "second region fails",
        name,
        f"leave out {space.property_}, or put {lacks} into it",
        Severity.WARNING,
    )


RULE = Rule(
    code="TW20",
    severity=Severity.ERROR,
    title="a name that is unique worldwide without the account (warning: without the region, or with a made-up ending)",
    origin="The same template in a second account or region fails with `already exists`, long after it was tested.",
    find=find,
)
