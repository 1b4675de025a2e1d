"""TW19: a physical name where some change needs a replacement, which then cannot get the name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.finding import Severity
from trainworks.preflight.registry import NamedType, named_types
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.settings import CheckSettings

_MAX_SHOWN = 4
_PARENTS: Mapping[str, frozenset[str]] = {
    "AWS::ApiGateway::Model": frozenset({"RestApiId"}),
    "AWS::ApiGateway::RequestValidator": frozenset({"RestApiId"}),
    "AWS::ApiGateway::Stage": frozenset({"RestApiId"}),
    "AWS::AutoScaling::LifecycleHook": frozenset({"AutoScalingGroupName"}),
    "AWS::CodeDeploy::DeploymentGroup": frozenset({"ApplicationName"}),
    "AWS::Cognito::UserPoolClient": frozenset({"UserPoolId"}),
    "AWS::Cognito::UserPoolGroup": frozenset({"UserPoolId"}),
    "AWS::EC2::SecurityGroup": frozenset({"VpcId"}),
    "AWS::EKS::FargateProfile": frozenset({"ClusterName"}),
    "AWS::EKS::Nodegroup": frozenset({"ClusterName"}),
    "AWS::EventSchemas::Schema": frozenset({"RegistryName"}),
    "AWS::Glue::Table": frozenset({"CatalogId", "DatabaseName", "TableInput.Name"}),
    "AWS::Logs::LogStream": frozenset({"LogGroupName"}),
    "AWS::Logs::MetricFilter": frozenset({"LogGroupName"}),
    "AWS::Logs::SubscriptionFilter": frozenset({"LogGroupName"}),
    "AWS::ServiceDiscovery::Service": frozenset({"NamespaceId"}),
    "AWS::Timestream::Table": frozenset({"DatabaseName"}),
}
"""What a name is unique within: with another parent the new resource has its name in another namespace."""
_PART_OF_NAME = frozenset({"Path"})
"""Of IAM: who changes it renames the resource."""


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    del settings
    for resource in graph.resources:
        known = named_types().get(resource.type)
        if known is None or known.required or resource.get(known.name) is None:
            continue  # a name that must be chosen cannot be left out
        pinned = pinned_properties(resource, known)
        if pinned:
            yield _fault(resource, known, pinned)


def pinned_properties(resource: Resource, known: NamedType) -> list[str]:
    """The properties that the template sets and that only a replacement can change."""
    found = [path for path in (*known.create_only, *known.may_replace) if resource.get(*path.split(".")) is not None]
    within = _PARENTS.get(resource.type, frozenset()) | _PART_OF_NAME
    found = [path for path in found if path not in within]
    # `EncryptionConfiguration` says it all when `EncryptionConfiguration.KmsKey` is there too.
    return [path for path in found if not any(path.startswith(f"{other}.") for other in found)]


def _fault(resource: Resource, known: NamedType, pinned: list[str]) -> Fault:
    shown = ", ".join(pinned[:_MAX_SHOWN]) + (f" and {len(pinned) - _MAX_SHOWN} more" if pinned[_MAX_SHOWN:] else "")
    return Fault(
        resource,
        f"{known.name} is fixed, and a change of {shown} needs a replacement: the new one is created before the old "
        "one is deleted, so it fails because the name is taken",
        resource.get(known.name),
        f"remove {known.name}: CloudFormation makes a unique name, which an output can show",
    )


RULE = Rule(
    code="TW19",
    severity=Severity.WARNING,
    title="a physical name on a resource that some change replaces",
    origin="A change of subnet, instance type or encryption fails with `already exists`, and the update rolls back.",
    find=find,
)
