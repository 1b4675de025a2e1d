from __future__ import annotations

from collections.abc import Callable

from tests.unit.preflight.draft import Draft, draft_of, only, quiet
from trainworks.preflight.rules.job_above_maximum import RULE, find
from trainworks.preflight.settings import CheckSettings

Platform = Callable[[str], Draft]


def test_the_environment_is_too_small(platform: Platform) -> None:
    draft = platform("staging")
    draft.properties("Batch/Spot")["ComputeResources"]["MaxvCpus"] = 2
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.place == "Batch/JobDefinition"
    assert "4 vCPU" in found.message
    assert "no compute environment may have more than 2" in found.message


def test_another_environment_is_large_enough(platform: Platform) -> None:
    draft = platform("prod")
    draft.properties("Batch/Spot")["ComputeResources"]["MaxvCpus"] = 2
    quiet(draft, RULE)


def test_all_nodes_of_a_job_count() -> None:
    node = {"Image": "x", "ResourceRequirements": [{"Type": "VCPU", "Value": "4"}, {"Type": "MEMORY", "Value": "100"}]}
    draft = draft_of(
        {
            "Environment": {
                "Type": "AWS::Batch::ComputeEnvironment",
                "Properties": {"Type": "MANAGED", "ComputeResources": {"Type": "EC2", "MaxvCpus": 8}},
            },
            "Job": {
                "Type": "AWS::Batch::JobDefinition",
                "Properties": {
                    "Type": "multinode",
                    "NodeProperties": {
                        "NumNodes": 3,
                        "MainNode": 0,
                        "NodeRangeProperties": [{"TargetNodes": "0:2", "Container": node}],
                    },
                },
            },
        }
    )
    (fault,) = find(draft.graph(), CheckSettings())
    assert "3 nodes of 4 vCPU" in fault.message
    draft.properties("Environment")["ComputeResources"]["MaxvCpus"] = 12
    assert list(find(draft.graph(), CheckSettings())) == []


def test_an_unknown_maximum(platform: Platform) -> None:
    draft = platform("dev")
    draft.template("Batch")["Parameters"]["Maximum"] = {"Type": "Number"}
    draft.properties("Batch/Spot")["ComputeResources"]["MaxvCpus"] = {"Ref": "Maximum"}
    quiet(draft, RULE)
