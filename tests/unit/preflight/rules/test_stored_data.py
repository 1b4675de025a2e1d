"""TW24: places in S3 that a resource names, calls that pass a role, and jobs that a state machine waits for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, quiet
from trainworks.preflight.finding import Finding
from trainworks.preflight.rules.role_actions import RULE


def role(service: str, *statements: dict[str, Any]) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}
    properties: dict[str, Any] = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}}
    if statements:
        properties["Policies"] = [{"PolicyName": "own", "PolicyDocument": policy}]
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def found_by(draft: Draft, word: str) -> list[Finding]:
    return [each for each in draft.findings() if each.code == RULE.code and word in each.message]


ARN = {"Fn::GetAtt": ["Role", "Arn"]}
OWN = {"Action": ["logs:*", "ecr:*", "cloudwatch:PutMetricData"], "Resource": "*"}


def _added(resources: dict[str, Any], statement: dict[str, Any] | None) -> Draft:
    draft = draft_of({})
    draft.template()["Resources"].update(resources)
    draft.template()["Resources"]["Role"] = role("sagemaker.amazonaws.com", OWN, *([statement] if statement else []))
    return draft


def _endpoint(member: str, uri: str) -> dict[str, Any]:
    captured = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": uri,
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    written = {"DataCaptureConfig": captured, "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": uri}}}
    variant = {"VariantName": "a", "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]}, "InitialInstanceCount": 1}
    return {
        "Model": {"Type": "AWS::SageMaker::Model", "Properties": {"ExecutionRoleArn": ARN}},
        "Config": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {
                "ProductionVariants": [{**variant, "InstanceType": "ml.m5.large", "InitialVariantWeight": 1}],
                member: written[member],
            },
        },
    }


@pytest.mark.parametrize("member", ["DataCaptureConfig", "AsyncInferenceConfig"])
@pytest.mark.parametrize(
    ("uri", "resource", "found"),
    [
        ("s3://captured/", None, True),
        ("s3://captured/", "arn:aws:s3:::captured//*", True),
        ("s3://captured/in", "arn:aws:s3:::captured/in//*", True),
        ("s3://captured/in", "arn:aws:s3:::captured/out/*", True),
        ("s3://captured/", "arn:aws:s3:::captured", True),
        ("s3://captured/", "arn:aws:s3:::captured/*", False),
        ("s3://captured/in", "arn:aws:s3:::captured/in/*", False),
        ("s3://captured/in", "arn:aws:s3:::captured/in/this-endpoint/*", False),
        ("s3://captured/", "*", False),
    ],
)
def test_what_an_endpoint_writes_its_models_role_may_write(
    member: str, uri: str, resource: str | None, found: bool
) -> None:
    statement = {"Action": "s3:PutObject", "Resource": resource} if resource else None
    told = found_by(_added(_endpoint(member, uri), statement), uri)
    assert [each.is_error for each in told] == [True] * found


@pytest.mark.parametrize("off", [False, "false"])
def test_capture_that_is_switched_off_writes_nothing(off: Any) -> None:
    resources = _endpoint("DataCaptureConfig", "s3://captured/")
    resources["Config"]["Properties"]["DataCaptureConfig"]["EnableCapture"] = off
    assert not found_by(_added(resources, None), "captured")


STORES: list[tuple[str, dict[str, Any], str]] = [
    (
        "AWS::SageMaker::Model",
        {"ExecutionRoleArn": ARN, "PrimaryContainer": {"Image": "i", "ModelDataUrl": "s3://b/m.tar.gz"}},
        "s3:GetObject",
    ),
    (
        "AWS::SageMaker::MlflowTrackingServer",
        {"RoleArn": ARN, "TrackingServerName": "t", "ArtifactStoreUri": "s3://b/runs"},
        "s3:PutObject",
    ),
    (
        "AWS::SageMaker::FeatureGroup",
        {"RoleArn": ARN, "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://b/f"}}},
        "s3:PutObject",
    ),
    (
        "AWS::KinesisFirehose::DeliveryStream",
        {"ExtendedS3DestinationConfiguration": {"RoleARN": ARN, "BucketARN": "arn:aws:s3:::b"}},
        "s3:PutObject",
    ),
]


@pytest.mark.parametrize(("kind", "properties", "action"), STORES)
def test_what_a_resource_names_its_role_may_use(kind: str, properties: dict[str, Any], action: str) -> None:
    resources = {"Store": {"Type": kind, "Properties": properties}}
    (found,) = found_by(_added(resources, None), "s3://b/")
    assert action in found.message
    assert not found_by(_added(resources, {"Action": action, "Resource": "arn:aws:s3:::b/*"}), "s3://b/")


PUT, GET, S3 = "s3:PutObject", "s3:GetObject", {"RoleARN": ARN, "BucketARN": "arn:aws:s3:::b", "Prefix": "p/"}
MONITORED = {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/p/", "LocalPath": "/o"}}]}
BASELINE = {"StatisticsResource": {"S3Uri": "s3://b/p/statistics.json"}}
MORE_STORES: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "model data source": (
        "AWS::SageMaker::Model",
        {"ExecutionRoleArn": ARN, "Containers": [{"ModelDataSource": {"S3DataSource": {"S3Uri": "s3://b/p/"}}}]},
        {GET},
    ),
    "adapters": (
        "AWS::SageMaker::Model",
        {
            "ExecutionRoleArn": ARN,
            "PrimaryContainer": {"AdditionalModelDataSources": [{"S3DataSource": {"S3Uri": "s3://b/p/"}}]},
        },
        {GET},
    ),
    "monitoring schedule": (
        "AWS::SageMaker::MonitoringSchedule",
        {
            "MonitoringScheduleConfig": {
                "MonitoringJobDefinition": {
                    "RoleArn": ARN,
                    "MonitoringOutputConfig": MONITORED,
                    "BaselineConfig": BASELINE,
                }
            }
        },
        {PUT, GET},
    ),
    "data quality": (
        "AWS::SageMaker::DataQualityJobDefinition",
        {"RoleArn": ARN, "DataQualityJobOutputConfig": MONITORED, "DataQualityBaselineConfig": BASELINE},
        {PUT, GET},
    ),
    "model quality": (
        "AWS::SageMaker::ModelQualityJobDefinition",
        {
            "RoleArn": ARN,
            "ModelQualityJobOutputConfig": MONITORED,
            "ModelQualityJobInput": {"GroundTruthS3Input": {"MonitoringGroundTruthS3Uri": "s3://b/p/truth"}},
        },
        {PUT, GET},
    ),
    **{
        f"{name} of Firehose": (
            "AWS::KinesisFirehose::DeliveryStream",
            {f"{name}DestinationConfiguration": {"RoleARN": ARN, "S3Configuration": S3}},
            {PUT},
        )
        for name in ("Redshift", "Amazonopensearchservice", "Splunk", "HttpEndpoint", "Iceberg", "Snowflake")
    },
    "backup of Firehose": (
        "AWS::KinesisFirehose::DeliveryStream",
        {"RedshiftDestinationConfiguration": {"RoleARN": ARN, "S3BackupMode": "Enabled", "S3BackupConfiguration": S3}},
        {PUT},
    ),
    "partitions of Firehose": (
        "AWS::KinesisFirehose::DeliveryStream",
        {"ExtendedS3DestinationConfiguration": {**S3, "Prefix": "p/y=!{timestamp:yyyy}/"}},
        {PUT},
    ),
    "source": (
        "AWS::CodeBuild::Project",
        {"ServiceRole": ARN, "Source": {"Type": "S3", "Location": "b/p/s.zip"}},
        {GET},
    ),
    "artifacts": (
        "AWS::CodeBuild::Project",
        {"ServiceRole": ARN, "SecondaryArtifacts": [{"Type": "S3", "Location": "b", "Path": "p/"}]},
        {PUT},
    ),
    "cache": ("AWS::CodeBuild::Project", {"ServiceRole": ARN, "Cache": {"Type": "S3", "Location": "b/p"}}, {GET, PUT}),
    "logs": (
        "AWS::CodeBuild::Project",
        {"ServiceRole": ARN, "LogsConfig": {"S3Logs": {"Status": "ENABLED", "Location": "arn:aws:s3:::b/p"}}},
        {PUT},
    ),
    "pipeline": (
        "AWS::CodePipeline::Pipeline",
        {"RoleArn": ARN, "ArtifactStore": {"Type": "S3", "Location": "b"}, "Stages": [{"Actions": [{"Name": "a"}]}]},
        {GET, PUT},
    ),
}


@pytest.mark.parametrize("name", MORE_STORES)
def test_every_place_that_a_resource_names_its_role_may_use(name: str) -> None:
    kind, properties, actions = MORE_STORES[name]
    resources = {"Store": {"Type": kind, "Properties": properties}}
    assert {str(each.value).strip("'\"") for each in found_by(_added(resources, None), "s3://b")} == actions
    assert not found_by(_added(resources, {"Action": sorted(actions), "Resource": "arn:aws:s3:::b/p/*"}), "s3://b")


SWITCHED_OFF: list[tuple[str, dict[str, Any]]] = [
    (
        "AWS::KinesisFirehose::DeliveryStream",
        {"RedshiftDestinationConfiguration": {"S3BackupMode": "Disabled", "S3BackupConfiguration": S3}},
    ),
    (
        "AWS::CodeBuild::Project",
        {"ServiceRole": ARN, "LogsConfig": {"S3Logs": {"Status": "DISABLED", "Location": "b"}}},
    ),
    ("AWS::CodeBuild::Project", {"ServiceRole": ARN, "Source": {"Type": "GITHUB", "Location": "https://b/p"}}),
    (
        "AWS::CodeBuild::Project",
        {"ServiceRole": ARN, "Cache": {"Type": "LOCAL"}, "Artifacts": {"Type": "CODEPIPELINE"}},
    ),
    (
        "AWS::CodePipeline::Pipeline",
        {
            "RoleArn": ARN,
            "ArtifactStore": {"Type": "S3", "Location": "b"},
            "Stages": [{"Actions": [{"Name": "a", "RoleArn": ARN}]}],
        },
    ),
]


@pytest.mark.parametrize(("kind", "properties"), SWITCHED_OFF)
def test_what_is_not_used_needs_nothing(kind: str, properties: dict[str, Any]) -> None:
    assert not found_by(_added({"Store": {"Type": kind, "Properties": properties}}, None), "s3://")


@pytest.mark.parametrize("shadow", [False, True])
def test_a_shadow_variant_is_captured_too(shadow: bool) -> None:
    resources = _endpoint("DataCaptureConfig", "s3://captured/")
    config = resources["Config"]["Properties"]
    if shadow:
        config["ShadowProductionVariants"] = config.pop("ProductionVariants")
    assert len(found_by(_added(resources, None), "s3://captured")) == 1


@pytest.mark.parametrize("task", ["sagemaker:createProcessingJob.sync", "aws-sdk:sagemaker:createTransformJob"])
def test_jobs_of_a_state_machine_reach_what_their_requests_name(task: str) -> None:
    processing = {
        "RoleArn": "${Role}",
        "ProcessingInputs": [{"InputName": "i", "S3Input": {"S3Uri": "s3://b/in/"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": "s3://b/out/"}}]},
    }
    transform = {
        "ModelName": "${Model}",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": "s3://b/in/", "S3DataType": "S3Prefix"}}},
        "TransformOutput": {"S3OutputPath": "s3://b/out/"},
    }
    parameters = processing if "Processing" in task else transform
    state = {"Type": "Task", "Resource": f"arn:aws:states:::{task}", "Parameters": parameters, "End": True}
    resources = {
        "Model": {"Type": "AWS::SageMaker::Model", "Properties": {"ExecutionRoleArn": ARN}},
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": "arn:aws:iam::111111111111:role/elsewhere",
                "DefinitionString": json.dumps({"StartAt": "S", "States": {"S": state}}),
                "DefinitionSubstitutions": {"Role": ARN, "Model": {"Fn::GetAtt": ["Model", "ModelName"]}},
            },
        },
    }
    told = found_by(_added(resources, None), "s3://b/")
    assert {(str(each.value).strip("'\""), "s3://b/in/" in each.message) for each in told} == {
        (GET, True),
        (PUT, False),
    }
    both = [
        {"Action": GET, "Resource": "arn:aws:s3:::b/in/*"},
        {"Action": PUT, "Resource": "arn:aws:s3:::b/out/*"},
    ]
    draft = _added(resources, None)
    draft.template()["Resources"]["Role"] = role("sagemaker.amazonaws.com", OWN, *both)
    assert not found_by(draft, "s3://b/")


@pytest.mark.parametrize("granted", [None, "arn", "versions"])
def test_a_delivery_stream_may_call_what_transforms_its_records(granted: str | None) -> None:
    arn = "arn:aws:lambda:us-east-1:111111111111:function:transform"
    lambda_arn = {"ParameterName": "LambdaArn", "ParameterValue": arn}
    processing = {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": [lambda_arn]}]}
    destination = {**S3, "ProcessingConfiguration": processing}
    source = {"RoleARN": ARN, "KinesisStreamARN": "arn:aws:kinesis:us-east-1:111111111111:stream/s"}
    stream = {"ExtendedS3DestinationConfiguration": destination, "KinesisStreamSourceConfiguration": source}
    resources = {"Stream": {"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": stream}}
    resource = {"arn": arn, "versions": f"{arn}:*"}.get(granted or "")
    found = found_by(
        _added(resources, {"Action": "lambda:InvokeFunction", "Resource": resource} if resource else None),
        "the delivery stream",
    )
    assert any("kinesis:GetRecords" in each.message for each in found)
    assert any("lambda:InvokeFunction" in each.message for each in found) is (granted is None)


def _function(*statements: dict[str, Any]) -> Draft:
    function = {"Code": {"ZipFile": "x"}, "Handler": "index.handler", "Runtime": "python3.12", "Role": ARN}
    logs = {"Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
    draft = draft_of(
        {
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
            "Role": role("lambda.amazonaws.com", logs),
        }
    )
    draft.template()["Resources"]["Role"] = role("lambda.amazonaws.com", logs, *statements)
    return draft


@pytest.mark.parametrize(
    "action",
    [
        "sagemaker:CreateTrainingJob",
        "sagemaker:createmodel",
        "sagemaker:CreateLabelingJob",
        "sagemaker:CreateDomain",
        "lambda:CreateFunction",
        "states:CreateStateMachine",
        "emr-serverless:StartJobRun",
        "bedrock:CreateModelInvocationJob",
    ],
)
def test_code_that_makes_jobs_may_pass_their_role(action: str) -> None:
    call = {"Action": action, "Resource": "*"}
    (found,) = found_by(_function(call), "iam:PassRole")
    assert found.is_error
    passing = {"Action": "iam:PassRole", "Resource": "arn:aws:iam::111111111111:role/jobs"}
    assert not found_by(_function(call, passing), "iam:PassRole")


@pytest.mark.parametrize(
    "action",
    ["sagemaker:*", "sagemaker:DescribeTrainingJob", "sagemaker:CreateEndpoint", "sts:AssumeRole", "ecs:RunTask"],
)
def test_code_that_may_not_mean_to_pass_one_is_left_alone(action: str) -> None:
    assert not found_by(_function({"Action": action, "Resource": "*"}), "iam:PassRole")


RULES = {"Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"], "Resource": "*"}


@pytest.mark.parametrize(
    ("task", "also"),
    [
        ("batch:submitJob", ["batch:DescribeJobs", "batch:TerminateJob"]),
        ("sagemaker:createTransformJob", ["sagemaker:DescribeTransformJob", "sagemaker:StopTransformJob"]),
    ],
)
def test_a_state_machine_that_waits_may_ask_and_stop(task: str, also: list[str]) -> None:
    def machine(suffix: str, *statements: dict[str, Any]) -> Draft:
        states = {"S": {"Type": "Task", "Resource": f"arn:aws:states:::{task}{suffix}", "End": True}}
        service, _, operation = task.partition(":")
        start = {"Action": f"{service}:{operation[0].upper()}{operation[1:]}", "Resource": "*"}
        draft = draft_of({})
        draft.template()["Resources"]["Role"] = role("states.amazonaws.com", start, *statements)
        properties = {"RoleArn": ARN, "DefinitionString": json.dumps({"StartAt": "S", "States": states})}
        draft.template()["Resources"]["Machine"] = {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": properties,
        }
        return draft

    (found,) = found_by(machine(".sync", RULES), "the state machine")
    assert not found.is_error
    assert all(action in found.message for action in also)
    quiet(machine(".sync", RULES, {"Action": also, "Resource": "*"}), RULE)
    quiet(machine(""), RULE)
