"""The platform as CDK constructs, for the app of this package and for anybody's.

    from trainworks.infra import TrainingPlatform

    platform = TrainingPlatform(stack, "Ml", profile="dev")
    platform.grant_submit_training(my_role)

`TrainingPlatform` is the whole; `Network`, `Storage`, `Training`, `Monitoring` and `BatchInference` are its parts, and
the rest is what these are made of. Each works alone in a stack that has a region.

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
    from trainworks.infra.constructs.execution_role import ExecutionRole
    from trainworks.infra.constructs.failure_alarm import FailureAlarm
    from trainworks.infra.constructs.flow_log import FlowLog
    from trainworks.infra.constructs.notebook import Notebook, NotebookPlacement
    from trainworks.infra.constructs.notebook_role import NotebookRole
    from trainworks.infra.constructs.training_access import TrainingAccess
    from trainworks.infra.constructs.training_dashboard import TrainingDashboard
    from trainworks.infra.constructs.training_role import DataStores, TrainingRole
    from trainworks.infra.constructs.triggered_state_machine import TriggeredStateMachine
    from trainworks.infra.constructs.workload_security_group import WorkloadSecurityGroup
    from trainworks.infra.parts.batch import BatchInference
    from trainworks.infra.parts.monitoring import Monitoring
    from trainworks.infra.parts.network import Network
    from trainworks.infra.parts.storage import Storage
    from trainworks.infra.parts.training import Training
    from trainworks.infra.platform import TrainingPlatform

_MODULES = {
    "BatchInference": "parts.batch",
    "ComputeEnvironment": "constructs.compute_environment",
    "ComputePlacement": "constructs.compute_environment",
    "DataBucket": "constructs.data_bucket",
    "DataStores": "constructs.training_role",
    "ExecutionRole": "constructs.execution_role",
    "FailureAlarm": "constructs.failure_alarm",
    "FlowLog": "constructs.flow_log",
    "Monitoring": "parts.monitoring",
    "Network": "parts.network",
    "Notebook": "constructs.notebook",
    "NotebookPlacement": "constructs.notebook",
    "NotebookRole": "constructs.notebook_role",
    "Storage": "parts.storage",
    "Training": "parts.training",
    "TrainingAccess": "constructs.training_access",
    "TrainingDashboard": "constructs.training_dashboard",
    "TrainingPlatform": "platform",
    "TrainingRole": "constructs.training_role",
    "TriggeredStateMachine": "constructs.triggered_state_machine",
    "WorkloadSecurityGroup": "constructs.workload_security_group",
}

__all__ = [
    "BatchInference",
    "ComputeEnvironment",
    "ComputePlacement",
    "DataBucket",
    "DataStores",
    "ExecutionRole",
    "FailureAlarm",
    "FlowLog",
    "Monitoring",
    "Network",
    "Notebook",
    "NotebookPlacement",
    "NotebookRole",
    "Storage",
    "Training",
    "TrainingAccess",
    "TrainingDashboard",
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
