"""The platform as CDK constructs, for the app of this package and for anybody's.

    from trainworks.infra import TrainingPlatform

    platform = TrainingPlatform(stack, "Ml", profile="dev")
    platform.grant_submit_training(my_role)

`TrainingPlatform` is the whole; `Network`, `Storage`, `Training`, `BatchInference`, `Monitoring` and `CostControl` are
its parts, and the rest are the constructs that these consist of. Each works alone in a stack that has a region.

Who imports first decides which Node.js the CDK runs on. Taking a name from here before `aws_cdk` is imported uses the
one that comes with `trainworks[infra]` (or the one that JSII_NODE names); after `import aws_cdk` the CDK is running
already, on the `node` that it found, and stays on it. Both ways work. Importing this package alone loads nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trainworks.infra.node import use_bundled_node

if TYPE_CHECKING:
    from trainworks.infra.constructs.compute_environment import ComputeEnvironment, ComputePlacement
    from trainworks.infra.constructs.data_bucket import DataBucket
    from trainworks.infra.constructs.event_notification import EventNotification, Message
    from trainworks.infra.constructs.execution_role import ExecutionRole
    from trainworks.infra.constructs.flow_log import FlowLog
    from trainworks.infra.constructs.job_notifications import BatchNotifications, TrainingNotifications
    from trainworks.infra.constructs.notebook import Notebook, NotebookPlacement
    from trainworks.infra.constructs.notebook_role import NotebookRole
    from trainworks.infra.constructs.notification_topic import NotificationTopic, Publisher
    from trainworks.infra.constructs.platform_dashboard import DashboardContent, PlatformDashboard
    from trainworks.infra.constructs.spending_alerts import SpendingAlerts
    from trainworks.infra.constructs.training_access import TrainingAccess
    from trainworks.infra.constructs.training_role import DataStores, TrainingRole
    from trainworks.infra.constructs.triggered_state_machine import TriggeredStateMachine
    from trainworks.infra.constructs.workload_security_group import WorkloadSecurityGroup
    from trainworks.infra.parts.batch import BatchInference
    from trainworks.infra.parts.cost_control import CostControl
    from trainworks.infra.parts.monitoring import Monitoring, MonitoringTargets
    from trainworks.infra.parts.network import Network
    from trainworks.infra.parts.storage import Storage
    from trainworks.infra.parts.training import Training
    from trainworks.infra.platform import TrainingPlatform

_MODULES = {
    "BatchInference": "parts.batch",
    "BatchNotifications": "constructs.job_notifications",
    "ComputeEnvironment": "constructs.compute_environment",
    "ComputePlacement": "constructs.compute_environment",
    "CostControl": "parts.cost_control",
    "DashboardContent": "constructs.platform_dashboard",
    "DataBucket": "constructs.data_bucket",
    "DataStores": "constructs.training_role",
    "EventNotification": "constructs.event_notification",
    "ExecutionRole": "constructs.execution_role",
    "FlowLog": "constructs.flow_log",
    "Message": "constructs.event_notification",
    "Monitoring": "parts.monitoring",
    "Network": "parts.network",
    "Notebook": "constructs.notebook",
    "NotebookPlacement": "constructs.notebook",
    "NotebookRole": "constructs.notebook_role",
    "NotificationTopic": "constructs.notification_topic",
    "PlatformDashboard": "constructs.platform_dashboard",
    "Publisher": "constructs.notification_topic",
    "SpendingAlerts": "constructs.spending_alerts",
    "Storage": "parts.storage",
    "Training": "parts.training",
    "TrainingAccess": "constructs.training_access",
    "TrainingNotifications": "constructs.job_notifications",
    "TrainingPlatform": "platform",
    "TrainingRole": "constructs.training_role",
    "TriggeredStateMachine": "constructs.triggered_state_machine",
    "MonitoringTargets": "parts.monitoring",
    "WorkloadSecurityGroup": "constructs.workload_security_group",
}

__all__ = [
    "BatchInference",
    "BatchNotifications",
    "ComputeEnvironment",
    "ComputePlacement",
    "CostControl",
    "DashboardContent",
    "DataBucket",
    "DataStores",
    "EventNotification",
    "ExecutionRole",
    "FlowLog",
    "Message",
    "Monitoring",
    "MonitoringTargets",
    "Network",
    "Notebook",
    "NotebookPlacement",
    "NotebookRole",
    "NotificationTopic",
    "PlatformDashboard",
    "Publisher",
    "SpendingAlerts",
    "Storage",
    "Training",
    "TrainingAccess",
    "TrainingNotifications",
    "TrainingPlatform",
    "TrainingRole",
    "TriggeredStateMachine",
    "WorkloadSecurityGroup",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if "aws_cdk" not in sys.modules:
        use_bundled_node()
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
