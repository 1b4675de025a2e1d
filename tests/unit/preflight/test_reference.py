"""The reference platform, which deploys without a word: its known defects are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainworks.assembly.graph import load_graph
from trainworks.preflight.checker import check
from trainworks.preflight.finding import Finding
from trainworks.preflight.settings import CheckSettings

ASSEMBLY = Path(__file__).parents[2] / "reference" / "cdk.out"

DEFECTS = {
    "D1: training jobs without subnets": ("TW01", "SageMakerStack/TrainingJobConfig"),
    "D1: an output without subnets": ("TW30", "NetworkingStack/PrivateSubnetIds"),
    "D2: a training role that may not make network interfaces": ("TW02", "SageMakerStack/TrainingJobRole"),
    "D3: spot limits that no request knows": ("TW08", "SageMakerStack/TrainingJobConfig"),
    "D3: spot without checkpoints": ("TW09", "SageMakerStack/TrainingJobConfig"),
    "D4: an alarm on a metric that does not exist": ("TW14", "MonitoringStack/TrainingJobFailureAlarm"),
    "D4: an alarm that tells nobody": ("TW16", "MonitoringStack/TrainingJobFailureAlarm"),
    "D5: widgets on metrics that do not exist": ("TW15", "MonitoringStack/TrainingDashboard"),
    "D6: models that go with the stack": ("TW21", "StorageStack/ModelBucket"),
    "D7: a notebook that may pass any role": ("TW23", "SageMakerStack/NotebookExecutionRole"),
    "D8: a training role that may do everything": ("TW23", "SageMakerStack/TrainingJobRole"),
    "D10: a notebook in a public subnet, which gives it no address": ("TW10", "SageMakerStack/NotebookInstance"),
    "D15: a repository that blocks the deletion of its stack": ("TW21", "StorageStack/TrainingRepository"),
    "D17: an instance type that takes no job": ("TW03", "BatchStack/ComputeEnvironment"),
    "D17: instance types that limit nothing": ("TW04", "BatchStack/ComputeEnvironment"),
    "D19: instances that cannot talk to each other": ("TW13", "SageMakerStack/TrainingJobConfig"),
    "D20: a name that blocks the replacement of the notebook": ("TW19", "SageMakerStack/NotebookInstance"),
    "D20: a name that blocks the replacement of the hosts": ("TW19", "BatchStack/ComputeEnvironment"),
    "D22: an S3 endpoint that serves the isolated subnets alone": ("TW11", "NetworkingStack/TrainingVPC/S3Endpoint"),
}


@pytest.fixture(scope="module")
def findings() -> tuple[Finding, ...]:
    return check(load_graph(ASSEMBLY), CheckSettings(production=True)).findings


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_defect_is_found(findings: tuple[Finding, ...], defect: str) -> None:
    code, place = DEFECTS[defect]
    assert [each for each in findings if each.code == code and each.place.removesuffix("/DefaultPolicy") == place]


def test_as_the_development_environment_that_it_is_it_has_errors_too() -> None:
    assert check(load_graph(ASSEMBLY), CheckSettings()).errors
