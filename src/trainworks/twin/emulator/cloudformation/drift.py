"""Drift detection for the types that the platform is made of, beyond those that ministack reads.

`DetectStackDrift` compares each property that a template sets with what the service has now. A reader looks a resource
up by its physical id and gives its properties in the template's words, or None if it is gone. A type without a
reader stays `NOT_CHECKED`, as on AWS. Source: "Detect unmanaged configuration changes", CloudFormation user guide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from trainworks.twin.emulator import engine

Properties = Mapping[str, Any]
Reader = Callable[[str, Properties], Mapping[str, Any] | None]

_PEERS = {"SecurityGroupIngress": "Source", "SecurityGroupEgress": "Destination"}


def install() -> None:
    """CloudFormation was loaded: add our readers to its table."""
    readers: dict[str, tuple[Reader, tuple[str, ...]]] = {
        "AWS::CloudWatch::Alarm": (_alarm, _ALARM),
        "AWS::CloudWatch::Dashboard": (_dashboard, ("DashboardBody",)),
        "AWS::EC2::SecurityGroup": (_security_group, ("GroupDescription", "VpcId", *_PEERS)),
        "AWS::EC2::Subnet": (_ec2("_subnets"), ("CidrBlock", "AvailabilityZone", "VpcId", "MapPublicIpOnLaunch")),
        "AWS::EC2::VPC": (_ec2("_vpcs"), ("CidrBlock",)),
        "AWS::EC2::VPCEndpoint": (_endpoint, ("VpcId", "ServiceName", "VpcEndpointType", "PolicyDocument")),
        "AWS::ECR::Repository": (_repository, ("ImageTagMutability", "LifecyclePolicy")),
        "AWS::Events::Rule": (_rule, ("State", "EventPattern", "ScheduleExpression", "Targets")),
        "AWS::IAM::Role": (_role, ("AssumeRolePolicyDocument", "MaxSessionDuration", "Path", "Policies")),
        "AWS::KMS::Key": (_key, ("Enabled", "EnableKeyRotation", "KeyPolicy")),
        "AWS::S3::BucketPolicy": (_bucket_policy, ("PolicyDocument",)),
        "AWS::SNS::TopicPolicy": (_topic_policy, ("PolicyDocument",)),
        "AWS::StepFunctions::StateMachine": (_state_machine, ("DefinitionString", "RoleArn")),
    }
    table = engine.module("services.cloudformation.drift")._DRIFT_READERS
    for resource_type, (reader, names) in readers.items():
        table[resource_type] = (_shaped(reader), frozenset(names))


class _Every:
    """The names of all properties."""

    def __contains__(self, name: object) -> bool:
        return True


def register(resource_type: str, reader: Reader, names: tuple[str, ...] | None) -> None:
    """Add a reader of one of our own types; without `names` it reads every property."""
    covered = _Every() if names is None else frozenset(names)
    engine.module("services.cloudformation.drift")._DRIFT_READERS[resource_type] = (_shaped(reader), covered)


def in_the_shape_of(expected: Any, actual: Any) -> Any:
    """`actual` with the names of `expected` (services differ in case) and without what the template does not set.

    Members of lists are kept whole, whether expected or not: one too many is drift.
    """
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        given = {str(name).lower(): value for name, value in actual.items()} | dict(actual)
        named = {name: name if name in given else name.lower() for name in expected}
        return {name: in_the_shape_of(expected[name], given[key]) for name, key in named.items() if key in given}
    if isinstance(expected, list) and isinstance(actual, list):
        sample = _union(expected)
        return [_renamed(each, sample) for each in actual]
    return actual


def _union(members: list[Any]) -> Any:
    """One member with all that any of them has, at every depth: the members of a list set different optional parts."""
    first = members[0] if members else None
    if isinstance(first, list):
        return [_union([each for member in members if isinstance(member, list) for each in member])]
    if not isinstance(first, Mapping):
        return first
    mappings = [each for each in members if isinstance(each, Mapping)]
    names = dict.fromkeys(name for each in mappings for name in each)
    return {name: _union([each[name] for each in mappings if name in each]) for name in names}


def _renamed(value: Any, sample: Any) -> Any:
    """`value` whole, with the names that `sample` has at the same place."""
    if isinstance(value, Mapping) and isinstance(sample, Mapping):
        by_lower = {str(name).lower(): name for name in sample}
        named = {
            (name if name in sample else by_lower.get(str(name).lower(), name)): each for name, each in value.items()
        }
        return {name: _renamed(each, sample.get(name)) for name, each in named.items()}
    if isinstance(value, list) and isinstance(sample, list):
        return [_renamed(each, _union(sample)) for each in value]
    return value


def _shaped(reader: Reader) -> Reader:
    def read(physical_id: str, properties: Properties) -> Mapping[str, Any] | None:
        found = reader(physical_id, properties)
        return None if found is None else dict(in_the_shape_of(properties, found))

    return read


def _document(text: Any) -> Any:
    """A policy or pattern that the service keeps as text."""
    return json.loads(text) if isinstance(text, str) and text else text


def _ec2(store: str) -> Reader:
    def read(physical_id: str, properties: Properties) -> dict[str, Any] | None:
        del properties
        record: dict[str, Any] | None = getattr(engine.service("ec2"), store).get(physical_id)
        return record

    return read


def _endpoint(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    del properties
    record = engine.service("ec2")._vpc_endpoints.get(physical_id)
    return None if record is None else {**record, "PolicyDocument": _document(record.get("PolicyDocument"))}


def _security_group(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    record = engine.service("ec2")._security_groups.get(physical_id)
    if record is None:
        return None
    found = {"GroupDescription": record["Description"], "VpcId": record["VpcId"]}
    for name, peer in _PEERS.items():
        stored = record["IpPermissions" if name == "SecurityGroupIngress" else "IpPermissionsEgress"]
        rules = [rule for permission in stored for rule in _rules(permission, peer)]
        elsewhere = _rules_of_other_resources(f"AWS::EC2::{name}", physical_id)
        found[name] = [rule for rule in rules if not any(_is_the_rule(rule, other) for other in elsewhere)]
        if properties.get(name):
            # A rule that allows all is written with or without ports.
            declared = properties[name]
            found[name] = [_as_declared(rule, declared) for rule in found[name]]
    return found


def _rules(permission: Mapping[str, Any], peer: str) -> list[dict[str, Any]]:
    """The rules that EC2 keeps together by protocol and ports, one by one in a template's words."""
    common = {name: permission[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in permission}
    kinds = (
        ("IpRanges", "CidrIp", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6", "CidrIpv6"),
        ("PrefixListIds", "PrefixListId", f"{peer}PrefixListId"),
        ("UserIdGroupPairs", "GroupId", f"{peer}SecurityGroupId"),
    )
    return [
        {**common, name: each[member], **({"Description": each["Description"]} if each.get("Description") else {})}
        for kind, member, name in kinds
        for each in permission.get(kind) or []
    ]


def _rules_of_other_resources(resource_type: str, group_id: str) -> list[Properties]:
    """Rules of this group that are resources of their own, in whatever stack."""
    return [
        properties
        for stack in engine.service("cloudformation")._stacks.values()
        for record in stack.get("_resources", {}).values()
        if record.get("ResourceType") == resource_type
        and (properties := record.get("Properties") or {}).get("GroupId") == group_id
    ]


def _is_the_rule(rule: Properties, declared: Properties) -> bool:
    return _essence(rule) == _essence(declared)


def _essence(rule: Properties) -> dict[str, str]:
    """What makes a rule; one for every protocol has no ports, whether or not they are written."""
    left_out = {"GroupId", "Description", *(("FromPort", "ToPort") if str(rule.get("IpProtocol")) == "-1" else ())}
    return {name: str(value) for name, value in rule.items() if name not in left_out}


def _as_declared(rule: dict[str, Any], declared: list[Any]) -> dict[str, Any]:
    """The rule as the template writes it, where it writes it; EC2 adds ports to what has none."""
    return next((dict(each) for each in declared if _is_the_rule(rule, each) and _same_text(rule, each)), rule)


def _same_text(rule: Mapping[str, Any], declared: Properties) -> bool:
    return str(rule.get("Description", "")) == str(declared.get("Description", ""))


_ALARM = (
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "Period",
    "EvaluationPeriods",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "AlarmActions",
    "ActionsEnabled",
)


def _alarm(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    record = engine.service("cloudwatch")._alarms.get(physical_id)
    if record is None:
        return None
    found = dict(record)
    expected = properties.get("Threshold")
    if expected is not None and float(expected) == float(found["Threshold"]):
        found["Threshold"] = expected  # 1 and 1.0 are one threshold
    return found


def _dashboard(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    record = engine.service("cloudwatch")._dashboards.get(physical_id)
    if record is None:
        return None
    declared, body = properties.get("DashboardBody"), record.get("DashboardBody")
    return {"DashboardBody": declared if _document(declared) == _document(body) else body}


def _repository(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    ecr = engine.service("ecr")
    record = ecr._repositories.get(physical_id)
    if record is None:
        return None
    declared = (properties.get("LifecyclePolicy") or {}).get("LifecyclePolicyText")
    text = ecr._lifecycle_policies.get(physical_id)
    text = text.get("lifecyclePolicyText", "") if isinstance(text, Mapping) else text
    if declared and text and _document(declared) == _document(text):
        text = declared
    return {**record, "LifecyclePolicy": {"LifecyclePolicyText": text}}


def _rule(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    eventbridge = engine.service("eventbridge")
    key = eventbridge._rule_key(physical_id, properties.get("EventBusName") or "default")
    rule = eventbridge._rules.get(key)
    if rule is None:
        return None
    pattern = _document(rule.get("EventPattern") or None)
    return {**rule, "EventPattern": pattern, "Targets": list(eventbridge._targets.get(key, []))}


def _role(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    role = engine.service("iam")._roles.get(physical_id)
    if role is None:
        return None
    policies = [
        {"PolicyName": name, "PolicyDocument": _document(document)}
        for name, document in role.get("InlinePolicies", {}).items()
        # A policy that is a resource of its own belongs to that resource.
        if name in {each.get("PolicyName") for each in properties.get("Policies", [])} or not _is_attached(name)
    ]
    trust = _document(role.get("AssumeRolePolicyDocument"))
    return {**role, "AssumeRolePolicyDocument": trust, "Policies": policies}


def _is_attached(policy_name: str) -> bool:
    """Whether some stack has the inline policy as an `AWS::IAM::Policy`."""
    return any(
        record.get("ResourceType") in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
        and policy_name in ((record.get("Properties") or {}).get("PolicyName"), record.get("PhysicalResourceId"))
        for stack in engine.service("cloudformation")._stacks.values()
        for record in stack.get("_resources", {}).values()
    )


def _key(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    del properties
    record = engine.service("kms")._keys.get(physical_id)
    if record is None or record.get("KeyState") == "PendingDeletion":
        return None
    rotation = record.get("KeyRotationEnabled", False)
    return {
        "Enabled": record.get("Enabled", True),
        "EnableKeyRotation": rotation,
        "KeyPolicy": _document(record.get("Policy")),
    }


def _bucket_policy(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    policy = engine.service("s3")._bucket_policies.get(properties.get("Bucket", physical_id))
    return None if not policy else {"PolicyDocument": _document(policy)}


def _topic_policy(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    del physical_id
    topics = engine.service("sns")._topics
    for arn in properties.get("Topics", []):
        topic = topics.get(arn)
        if topic is None:
            return None
        policy = _document(topic.get("attributes", {}).get("Policy"))
        if policy != properties.get("PolicyDocument"):
            return {"PolicyDocument": policy}
    return {"PolicyDocument": properties.get("PolicyDocument")}


def _state_machine(physical_id: str, properties: Properties) -> dict[str, Any] | None:
    record = engine.service("stepfunctions")._state_machines.get(physical_id)
    if record is None:
        return None
    declared, definition = properties.get("DefinitionString"), record.get("definition", "")
    same = declared is not None and _document(declared) == _document(definition)
    return {"DefinitionString": declared if same else definition, "RoleArn": record.get("roleArn")}
