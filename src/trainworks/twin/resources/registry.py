"""Which CloudFormation types are ours: what `building.py` registers with the emulator."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

from trainworks.twin.recorded import RecordedStore
from trainworks.twin.resource_types import ResourceType
from trainworks.twin.resources.batch import ComputeEnvironment, JobDefinition, JobQueue
from trainworks.twin.resources.cost import AnomalyMonitor, AnomalySubscription, Budget, BudgetsApi
from trainworks.twin.resources.ec2 import Ec2Api, ElasticIp, FlowLog, NatGateway, SecurityGroupRule
from trainworks.twin.resources.logs import (
    Destination,
    LogGroup,
    LogRetention,
    LogStream,
    MetricFilter,
    QueryDefinition,
    ResourcePolicy,
    SubscriptionFilter,
)
from trainworks.twin.resources.network_acls import NetworkAcl, NetworkAclEntry, SubnetNetworkAclAssociation
from trainworks.twin.resources.notebooks import LifecycleConfig, NotebookInstance
from trainworks.twin.wire import Endpoint

OF_SERVICES: Mapping[str, Mapping[str, Callable[[Endpoint], ResourceType]]] = {
    "batch": {
        "AWS::Batch::ComputeEnvironment": ComputeEnvironment,
        "AWS::Batch::JobDefinition": JobDefinition,
        "AWS::Batch::JobQueue": JobQueue,
    },
    "ce": {
        "AWS::CE::AnomalyMonitor": AnomalyMonitor,
        "AWS::CE::AnomalySubscription": AnomalySubscription,
    },
    "logs": {
        "AWS::Logs::Destination": Destination,
        "AWS::Logs::LogGroup": LogGroup,
        "AWS::Logs::LogStream": LogStream,
        "AWS::Logs::MetricFilter": MetricFilter,
        "AWS::Logs::QueryDefinition": QueryDefinition,
        "AWS::Logs::ResourcePolicy": ResourcePolicy,
        "AWS::Logs::SubscriptionFilter": SubscriptionFilter,
        "Custom::LogRetention": LogRetention,
    },
    "sagemaker": {
        "AWS::SageMaker::NotebookInstance": NotebookInstance,
        "AWS::SageMaker::NotebookInstanceLifecycleConfig": LifecycleConfig,
    },
}
"""How CloudFormation makes what our services hold, by botocore's name of the service."""


def resource_types(services: Iterable[Endpoint], ec2: Ec2Api, budgets: BudgetsApi) -> Mapping[str, ResourceType]:
    """Our types by name, over the endpoints of our services and the emulator's EC2 and Budgets."""
    ours = {
        name: make(endpoint)
        for endpoint in services
        for name, make in OF_SERVICES.get(endpoint.service_name, {}).items()
    }
    return ours | {
        "AWS::Budgets::Budget": Budget(budgets),
        "AWS::EC2::EIP": ElasticIp(ec2),
        "AWS::EC2::FlowLog": FlowLog(ec2),
        "AWS::EC2::NatGateway": NatGateway(ec2),
        "AWS::EC2::NetworkAcl": NetworkAcl(ec2),
        "AWS::EC2::NetworkAclEntry": NetworkAclEntry(ec2),
        "AWS::EC2::SecurityGroupEgress": SecurityGroupRule(ec2, is_egress=True),
        "AWS::EC2::SecurityGroupIngress": SecurityGroupRule(ec2, is_egress=False),
        "AWS::EC2::SubnetNetworkAclAssociation": SubnetNetworkAclAssociation(ec2),
    }


def recorded(store: RecordedStore, executed: Container[str]) -> Mapping[str, ResourceType]:
    """The types without behaviour, by name; one that is executed is not recorded."""
    from trainworks.twin.resources.recorded import RecordedType  # noqa: PLC0415 - reads the schemas
    from trainworks.twin.resources.recorded_types import recorded_types  # noqa: PLC0415

    return {name: RecordedType(name, store) for name in recorded_types() if name not in executed}
