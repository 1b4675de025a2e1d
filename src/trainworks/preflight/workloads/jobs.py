"""Training and processing jobs, which have no resource type: found where templates write their requests.

That is in state machines (`sagemaker:createTrainingJob`), in pipelines of SageMaker (steps of type Training), and as
JSON in outputs, SSM parameters and other texts: whatever looks like a request of `CreateTrainingJob`, or like the part
of one that a platform hands to those who submit jobs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainworks.assembly.graph import Document, Graph, Resource, Unknown
from trainworks.aws.service_needs import WorkloadKind
from trainworks.preflight.workloads.records import SageMakerJob, TrainingJob
from trainworks.preflight.workloads.values import flag, number, table, tables, text, texts, values_at

STATE_MACHINES = ("AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine")
_PIPELINE = "AWS::SageMaker::Pipeline"
_DEFINITIONS = {
    "AWS::StepFunctions::StateMachine": "Definition",
    "AWS::Serverless::StateMachine": "Definition",
    _PIPELINE: "PipelineDefinition",
}
_MARKS = frozenset({"EnableManagedSpotTraining", "AlgorithmSpecification", "CheckpointConfig"})
_PARTS = frozenset(
    {
        "RoleArn",
        "StoppingCondition",
        "ResourceConfig",
        "OutputDataConfig",
        "InputDataConfig",
        "VpcConfig",
        "MaxRuntimeInSeconds",
        "MaxWaitTimeInSeconds",
    }
)
_OTHER_REQUESTS = frozenset({"AppSpecification", "ProcessingResources", "PrimaryContainer", "Containers"})
_STOPPING_MEMBERS = ("MaxRuntimeInSeconds", "MaxWaitTimeInSeconds")
_STEPS = {"Training": WorkloadKind.TRAINING_JOB, "Processing": WorkloadKind.PROCESSING_JOB}
_TASKS = {
    "sagemaker:createTrainingJob": WorkloadKind.TRAINING_JOB,
    "sagemaker:createProcessingJob": WorkloadKind.PROCESSING_JOB,
}
_PROCESSED = ("ProcessingInputs.*.S3Input.S3Uri",)
_WRITTEN = tuple(
    f"{name}.S3OutputPath"
    for name in ("OutputDataConfig", "ProfilerConfig", "DebugHookConfig", "TensorBoardOutputConfig")
)
_TRANSFORM_TASK, _TRANSFORM_STEP = "sagemaker:createTransformJob", "Transform"
_PLACEHOLDER = re.compile(r"\$\{([^}!]+)\}")


def jobs_of(graph: Graph) -> Iterator[SageMakerJob]:
    """Every job of the graph's texts, definitions, and resources that describe a processing job."""
    for document in _written(graph):
        for found in _requests(settled(document.value, _substitutions(document.resource))):
            yield _job(found, document)
    for resource in graph.of_type(
        "AWS::SageMaker::ProcessingJob",
        "AWS::SageMaker::DataQualityJobDefinition",
        "AWS::SageMaker::ModelQualityJobDefinition",
        "AWS::SageMaker::ModelBiasJobDefinition",
        "AWS::SageMaker::ModelExplainabilityJobDefinition",
    ):
        whole = _Request("", WorkloadKind.PROCESSING_JOB, resource.properties, is_complete=True)
        yield _job(whole, Document(resource.place, "", dict(resource.properties), resource))


def transforms_of(graph: Graph) -> Iterator[tuple[Mapping[str, Any], Resource]]:
    """Every request of a transform job, with the resource that it is written in."""
    for document in _written(graph):
        if document.resource is not None:
            found = settled(document.value, _substitutions(document.resource))
            yield from ((request, document.resource) for request in _transforms(found))


def _transforms(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _transforms(each)
    if not isinstance(value, Mapping):
        return
    if value.get("Type") == _TRANSFORM_STEP or _TRANSFORM_TASK in str(value.get("Resource")):
        yield table(value.get("Parameters") or value.get("Arguments"))
        return
    for each in value.values():
        yield from _transforms(each)


@dataclass(frozen=True, slots=True)
class _Request:
    """A request found at `path` inside a document."""

    path: str
    kind: WorkloadKind
    value: Mapping[str, Any]
    is_complete: bool


def _written(graph: Graph) -> Iterator[Document]:
    yield from graph.documents()
    for resource in graph.of_type(*_DEFINITIONS):
        path = _DEFINITIONS[resource.type]
        definition = resource.get(path)
        if isinstance(definition, Mapping):
            yield Document(resource.place, path, dict(definition), resource)


def _substitutions(resource: Resource | None) -> Mapping[str, Any]:
    return table(resource.get("DefinitionSubstitutions")) if resource and resource.type in STATE_MACHINES else {}


def settled(value: Any, substitutions: Mapping[str, Any]) -> Any:
    """A value of a definition as it will be. What only run time knows (`Key.$`, `{"Get": ...}`, `{% %}`) is Unknown."""
    if isinstance(value, Mapping):
        if len(value) == 1 and next(iter(value)) in ("Get", "Std:Join", "Fn::Sub"):
            return Unknown("a parameter of the pipeline")
        return {
            key.removesuffix(".$"): (
                Unknown("read from the state's input") if key.endswith(".$") else settled(each, substitutions)
            )
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [settled(each, substitutions) for each in value]
    if isinstance(value, str) and not isinstance(value, Unknown):
        if value.startswith("{%"):
            return Unknown("an expression of the state machine")
        if "${" in value:
            return _substituted(value, substitutions)
    return value


def _substituted(value: str, substitutions: Mapping[str, Any]) -> Any:
    whole = _PLACEHOLDER.fullmatch(value)
    if whole and whole[1] in substitutions:
        return substitutions[whole[1]]
    parts = [substitutions.get(name) for name in _PLACEHOLDER.findall(value)]
    if any(part is None or isinstance(part, Unknown) for part in parts):
        return Unknown(f"substituted at run time: {value}")
    return _PLACEHOLDER.sub(lambda match: text(substitutions[match[1]]), value)


def _requests(value: Any, path: str = "") -> Iterator[_Request]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _requests(each, f"{path}[{index}]")
    if not isinstance(value, Mapping):
        return
    resource = value.get("Resource")
    if isinstance(resource, str):
        for task, kind in _TASKS.items():
            if task in resource:
                yield _Request(path, kind, table(value.get("Parameters") or value.get("Arguments")), is_complete=True)
                return
    step = value.get("Type")
    if isinstance(step, str) and step in _STEPS and isinstance(value.get("Arguments"), Mapping):
        yield _Request(path, _STEPS[step], value["Arguments"], is_complete=True)
        return
    if _looks_like_training(value):
        yield _Request(path, WorkloadKind.TRAINING_JOB, value, is_complete="AlgorithmSpecification" in value)
        return
    for key, each in value.items():
        yield from _requests(each, f"{path}.{key}" if path else key)


def _looks_like_training(value: Mapping[str, Any]) -> bool:
    keys = value.keys()
    return bool(keys & _MARKS and keys & _PARTS) and not keys & _OTHER_REQUESTS


def _job(found: _Request, document: Document) -> SageMakerJob:
    request, path = found.value, "" if document.resource is None else document.path
    vpc = table(request.get("NetworkConfig")).get("VpcConfig") if "NetworkConfig" in request else None
    vpc = request.get("VpcConfig", vpc)
    cluster = _cluster(request)
    common: dict[str, Any] = {
        "kind": found.kind,
        "place": document.place,
        "path": ".".join(part for part in (path, found.path) if part),
        "resource": document.resource,
        "subnets": texts(vpc.get("Subnets")) if isinstance(vpc, Mapping) else None,
        "security_groups": texts(vpc.get("SecurityGroupIds")) if isinstance(vpc, Mapping) else (),
        "role_arn": text(request.get("RoleArn")),
        "instance_types": texts([cluster["InstanceType"]]) if "InstanceType" in cluster else (),
        "request": request,
        "is_complete": found.is_complete,
        "instance_count": number(cluster.get("InstanceCount", _grouped(cluster))),
        "volume_kms_key_id": text(cluster.get("VolumeKmsKeyId")),
    }
    if found.kind is WorkloadKind.PROCESSING_JOB:
        written = (text(uri) for uri in values_at(request, "ProcessingOutputConfig.Outputs.*.S3Output.S3Uri"))
        return SageMakerJob(
            **common,
            input_s3_uris=tuple(text(uri) for path in _PROCESSED for uri in values_at(request, path)),
            written_s3_uris=tuple(written),
        )
    output, stopping = table(request.get("OutputDataConfig")), table(request.get("StoppingCondition"))
    spot = flag(request.get("EnableManagedSpotTraining"))
    return TrainingJob(
        **common,
        input_s3_uris=tuple(_inputs(request)),
        output_s3_uri=text(output.get("S3OutputPath")),
        written_s3_uris=tuple(text(uri) for path in _WRITTEN for uri in values_at(request, path)),
        output_kms_key_id=text(output.get("KmsKeyId")),
        enable_managed_spot_training=spot if spot is not None else False,
        max_runtime_seconds=number(stopping.get("MaxRuntimeInSeconds")),
        max_wait_time_seconds=number(stopping.get("MaxWaitTimeInSeconds")),
        checkpoint_s3_uri=text(table(request.get("CheckpointConfig")).get("S3Uri")),
        misplaced={key: request[key] for key in _STOPPING_MEMBERS if key in request},
    )


def _cluster(request: Mapping[str, Any]) -> Mapping[str, Any]:
    resources = request.get("ResourceConfig") or request.get("ProcessingResources") or request.get("JobResources")
    return table(table(resources).get("ClusterConfig", resources))


def _grouped(cluster: Mapping[str, Any]) -> float | Unknown | None:
    """The instances of a heterogeneous cluster."""
    counts = [number(group.get("InstanceCount")) for group in tables(cluster.get("InstanceGroups"))]
    if not counts:
        return None
    known = [count for count in counts if isinstance(count, float)]
    return sum(known) if len(known) == len(counts) else Unknown("instances of a group")


def _inputs(request: Mapping[str, Any]) -> Iterator[str]:
    for channel in tables(request.get("InputDataConfig")):
        uri = table(table(channel.get("DataSource")).get("S3DataSource")).get("S3Uri")
        if uri is not None:
            yield text(uri)
