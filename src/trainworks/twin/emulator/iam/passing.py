"""`iam:PassRole`: asked for every role that a request hands to a service, whatever the service.

Which members these are the models say (`wire.roles`), and to whom the role goes `aws.iam.role_members`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.model import ServiceModel

from trainworks.aws.iam.role_members import has_recipient_of_its_own, recipient
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudformation.declared import named_texts
from trainworks.twin.wire.models import service_model
from trainworks.twin.wire.roles import PassedRole, holds_role, passed_roles, role_paths

# A launch template passes its role when instances are launched with it; a nested stack acts as its root.
_PASSED_LATER = frozenset({"AWS::EC2::LaunchTemplate", "AWS::CloudFormation::Stack"})
_RENAMED = {("s3", "PutReplicationConfiguration"): ("s3", "PutBucketReplication")}
_ATTRIBUTE_OPERATIONS = frozenset({"CreateTopic", "SetTopicAttributes", "Subscribe", "SetSubscriptionAttributes"})
_INSTANCE_PROFILES = frozenset({"instanceRole", "ec2InstanceProfileArn"})


def passed(service: str, operation: str, params: Mapping[str, Any], account: str) -> list[tuple[str, str]]:
    """(ARN of a role, service that gets it) of each role in a request. What is neither ARN nor name is left out.

    `service` is botocore's name. A name that no role has, the service itself refuses.
    """
    pairs = [
        (arn, recipient(service, role.path[-1]))
        for role in [*passed_roles(service, operation, params), *_in_attributes(service, params)]
        for arn in _arns(role, account)
    ]
    return list(dict.fromkeys(pairs))


def passes(service: str, operation: str) -> bool:
    """Whether an operation can pass a role; False for what no model has."""
    if service == "sns":
        return operation in _ATTRIBUTE_OPERATIONS
    model = _model(service)
    return model is not None and operation in model.operation_names and bool(role_paths(service, operation))


def operation_of(service: str, operation: str) -> tuple[str, str]:
    """botocore's operation for an action that is called otherwise."""
    return _RENAMED.get((service, operation), (service, operation))


@cache
def _model(service: str) -> ServiceModel | None:
    try:
        return service_model(service)
    except UnknownServiceError:
        return None


def resource_roles(type_name: str, properties: Mapping[str, Any], account: str) -> list[tuple[str, str]]:
    """(member, ARN) of each role that a resource of a stack hands to a service: the properties are named as members."""
    if type_name.startswith("AWS::IAM::") and type_name != "AWS::IAM::InstanceProfile":
        return []
    if type_name in _PASSED_LATER or not type_name.startswith("AWS::"):
        return []
    named = named_texts(type_name, properties)
    found = [PassedRole((_member(name),), value) for name, value in named if holds_role(name)]
    return list(dict.fromkeys((role.path[-1], arn) for role in found for arn in _arns(role, account)))


def _member(name: str) -> str:
    """A property's name as the member of the API is spelled, where recipients are by member."""
    lowered = name[:1].lower() + name[1:]
    return lowered if lowered in _INSTANCE_PROFILES or has_recipient_of_its_own(lowered) else name


def _in_attributes(service: str, params: Mapping[str, Any]) -> list[PassedRole]:
    """Roles under names that are values themselves: the attributes of a topic or a subscription."""
    if service != "sns":
        return []
    named = {str(params.get("AttributeName")): params.get("AttributeValue"), **(params.get("Attributes") or {})}
    return [
        PassedRole((name,), value)
        for name, value in named.items()
        if name.endswith("RoleArn") and isinstance(value, str)
    ]


def _arns(role: PassedRole, account: str) -> list[str]:
    if role.path[-1] in _INSTANCE_PROFILES:
        return _of_instance_profile(role.value, account)
    if role.value.startswith("arn:"):
        return [role.value] if ":role/" in role.value else []
    found = engine.row(engine.service("iam")._roles, account, role.value)
    return [] if found is None else [str(found["Arn"])]


def _of_instance_profile(value: str, account: str) -> list[str]:
    iam = engine.service("iam")
    profile = engine.row(iam._instance_profiles, account, value.rsplit("/", 1)[-1])
    names = [] if profile is None else profile.get("Roles", [])
    roles = [engine.row(iam._roles, account, name if isinstance(name, str) else name["RoleName"]) for name in names]
    return [str(found["Arn"]) for found in roles if found is not None]
