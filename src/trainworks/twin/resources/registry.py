"""Which CloudFormation types are ours: what `server.py` registers with the emulator."""

from __future__ import annotations

from collections.abc import Container, Mapping

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
from trainworks.twin.resources.notebooks import LifecycleConfig, NotebookInstance
from trainworks.twin.store.database import Database
from trainworks.twin.wire import Endpoint


def resource_types(  # noqa: PLR0917 - the services whose resources there are
    batch: Endpoint, sagemaker: Endpoint, cost_explorer: Endpoint, logs: Endpoint, ec2: Ec2Api, budgets: BudgetsApi
) -> Mapping[str, ResourceType]:
    """Our types by name, over the endpoints of our services and the emulator's EC2 and Budgets."""
    return {
        "AWS::Batch::ComputeEnvironment": ComputeEnvironment(batch),
        "AWS::Batch::JobDefinition": JobDefinition(batch),
        "AWS::Batch::JobQueue": JobQueue(batch),
        "AWS::Budgets::Budget": Budget(budgets),
        "AWS::CE::AnomalyMonitor": AnomalyMonitor(cost_explorer),
        "AWS::CE::AnomalySubscription": AnomalySubscription(cost_explorer),
        "AWS::EC2::EIP": ElasticIp(ec2),
        "AWS::EC2::FlowLog": FlowLog(ec2),
        "AWS::EC2::NatGateway": NatGateway(ec2),
        "AWS::EC2::SecurityGroupEgress": SecurityGroupRule(ec2, is_egress=True),
        "AWS::EC2::SecurityGroupIngress": SecurityGroupRule(ec2, is_egress=False),
        "AWS::Logs::Destination": Destination(logs),
        "AWS::Logs::LogGroup": LogGroup(logs),
        "AWS::Logs::LogStream": LogStream(logs),
        "AWS::Logs::MetricFilter": MetricFilter(logs),
        "AWS::Logs::QueryDefinition": QueryDefinition(logs),
        "AWS::Logs::ResourcePolicy": ResourcePolicy(logs),
        "AWS::Logs::SubscriptionFilter": SubscriptionFilter(logs),
        "AWS::SageMaker::NotebookInstance": NotebookInstance(sagemaker),
        "AWS::SageMaker::NotebookInstanceLifecycleConfig": LifecycleConfig(sagemaker),
        "Custom::LogRetention": LogRetention(logs),
    }


def recorded(database: Database, executed: Container[str]) -> Mapping[str, ResourceType]:
    """The types without behaviour, by name; one that is executed is not recorded."""
    from trainworks.twin.resources.recorded import RecordedStore, RecordedType  # noqa: PLC0415 - reads the schemas
    from trainworks.twin.resources.recorded_types import recorded_types  # noqa: PLC0415

    store = RecordedStore(database)
    return {name: RecordedType(name, store) for name in recorded_types() if name not in executed}
