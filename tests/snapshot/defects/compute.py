"""Faults of what runs: training jobs, batch jobs, the notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase

from tests.snapshot.defects.permissions import training_role
from tests.snapshot.platform import Stacks
from trainworks.aws import instance_types

NOTEBOOK = {
    "DirectInternetAccess": "Disabled",
    "RootAccess": "Disabled",
    "PlatformIdentifier": "notebook-al2023-v1",
    "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "2"},
}


def jobs_without_subnets(platform: Stacks) -> Iterator[str]:
    subnets = platform.training_job_config()["VpcConfig"]["Subnets"]
    known = {each.arn() for each in platform.resources("AWS::EC2::Subnet")}
    if len(set(subnets) & known) < 2:
        yield f"TrainingJobConfig has {len(subnets)} subnets"
    if platform.output("PrivateSubnetIds") != ",".join(subnets) or not subnets:
        yield f"PrivateSubnetIds is {platform.output('PrivateSubnetIds')!r}"


def spot_that_cannot_resume(platform: Stacks) -> Iterator[str]:
    config = platform.training_job_config()
    condition = config.get("StoppingCondition", {})
    for limit in ("MaxRuntimeInSeconds", "MaxWaitTimeInSeconds"):
        if limit in config:
            yield f"{limit} is not a member of a CreateTrainingJob request"
        if limit not in condition:
            yield f"StoppingCondition has no {limit}"
    location = config.get("CheckpointConfig", {}).get("S3Uri")
    if location is None:
        yield "there is no CheckpointConfig"
    role, models = training_role(platform), platform.resource("AWS::S3::Bucket", "ModelBucket")
    key = f"{models.arn('Arn')}/checkpoints/job/1"
    for action, resource in (("s3:GetObject", key), ("s3:PutObject", key), ("s3:ListBucket", models.arn("Arn"))):
        allowed = [each for pattern, on in role.allowed().items() if fnmatchcase(action, pattern) for each in on]
        if not any(fnmatchcase(resource, each.replace("[", "[[]")) for each in allowed):
            yield f"{role.resource.logical_id} may not {action} in the model bucket"


def open_notebooks(platform: Stacks) -> Iterator[str]:
    for notebook in platform.resources("AWS::SageMaker::NotebookInstance"):
        for name, value in NOTEBOOK.items():
            if notebook.properties.get(name) != value:
                yield f"{notebook.logical_id}: {name} is not {json.dumps(value)}"
        if "KmsKeyId" not in notebook.properties:
            yield f"{notebook.logical_id}: the volume is not under a key of the platform"


def notebooks_that_never_stop(platform: Stacks) -> Iterator[str]:
    for notebook in platform.resources("AWS::SageMaker::NotebookInstance"):
        if "LifecycleConfigName" not in notebook.properties:
            yield f"{notebook.logical_id} has no lifecycle configuration"
        text = json.dumps([each.properties for each in platform.resources("AWS::StepFunctions::StateMachine")])
        if "stopNotebookInstance" not in text:
            yield f"nothing stops {notebook.logical_id}"


def jobs_that_fit_no_host(platform: Stacks) -> Iterator[str]:
    for environment in platform.resources("AWS::Batch::ComputeEnvironment"):
        names = environment.properties["ComputeResources"]["InstanceTypes"]
        explicit = [instance_types.instance_type(name) for name in names if "." in name]
        if "optimal" in names and explicit:
            yield f"{environment.logical_id} has optimal beside {', '.join(each.name for each in explicit)}"
        for definition in platform.resources("AWS::Batch::JobDefinition"):
            needed = {
                each["Type"]: int(each["Value"])
                for each in definition.properties["ContainerProperties"]["ResourceRequirements"]
            }
            for host in explicit:
                room = instance_types.schedulable_memory_mib(host)
                if needed["VCPU"] > host.vcpus or needed["MEMORY"] > room:
                    yield f"{definition.logical_id} fits no {host.name}"


def blind_retries(platform: Stacks) -> Iterator[str]:
    for environment in platform.resources("AWS::Batch::ComputeEnvironment"):
        if "BidPercentage" in environment.properties["ComputeResources"]:
            yield f"{environment.logical_id} has a price limit, which takes capacity away"
    for definition in platform.resources("AWS::Batch::JobDefinition"):
        if "EvaluateOnExit" not in definition.properties.get("RetryStrategy", {}):
            yield f"{definition.logical_id} is retried whatever the reason"
    for queue in platform.resources("AWS::Batch::JobQueue"):
        if not queue.properties.get("JobStateTimeLimitActions"):
            yield f"{queue.logical_id} keeps jobs RUNNABLE for ever"
