"""TW24 on what a state machine hands to a training job, on the job's own data, and on a function's event source."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only, quiet
from tests.unit.preflight.rules.role_bodies import add, without
from trainworks.preflight.rules.role_actions import RULE

MACHINE_ACTIONS = ["sagemaker:CreateTrainingJob", "events:PutTargets", "events:PutRule", "events:DescribeRule"]
JOB_ACTIONS = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "cloudwatch:PutMetricData",
]


def role(service: str, *statements: dict[str, Any]) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = {"Statement": [{"Effect": "Allow", "Resource": "*", **each} for each in statements]}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Statement": [trust]},
            "Policies": [{"PolicyName": "p", "PolicyDocument": document}],
        },
    }


def arn_of(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def training(data: str = "s3://data/train", output: str = "s3://models/output") -> Draft:
    """A machine that starts a training job, with everything that both need."""
    request = {
        "TrainingJobName.$": "$.name",
        "RoleArn": "${JobRole}",
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": data}}}],
        "OutputDataConfig": {"S3OutputPath": output},
    }
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
        "Parameters": request,
        "End": True,
    }
    return draft_of(
        {
            "MachineRole": role(
                "states.amazonaws.com",
                {"Action": MACHINE_ACTIONS},
                {
                    "Action": "iam:PassRole",
                    "Resource": arn_of("JobRole"),
                    "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
                },
            ),
            "JobRole": role(
                "sagemaker.amazonaws.com",
                {"Action": JOB_ACTIONS},
                {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/train/*"},
                {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::models/output/*"},
            ),
            "OtherRole": role("sagemaker.amazonaws.com"),
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": arn_of("MachineRole"),
                    "DefinitionString": json.dumps({"StartAt": "Train", "States": {"Train": task}}),
                    "DefinitionSubstitutions": {"JobRole": arn_of("JobRole")},
                },
            },
        }
    )


def missing(draft: Draft) -> list[str]:
    """What TW24 says of the untouched draft, warnings of what is beyond the need aside."""
    return [each.message for each in draft._clean.known if each.code == RULE.code and each.is_error]


def test_a_machine_that_may_pass_another_role_only() -> None:
    draft = training()
    assert missing(draft) == []
    passing = draft.properties("MachineRole")["Policies"][0]["PolicyDocument"]["Statement"][1]
    passing["Resource"] = arn_of("OtherRole")
    (found,) = only(draft, RULE)
    assert (found.place, found.is_error) == ("MachineRole", True)
    assert "lacks iam:PassRole on" in found.message
    assert "${JobRole.Arn}" in found.message


def test_a_machine_that_may_pass_the_role_to_another_service_only() -> None:
    draft = training()
    passing = draft.properties("MachineRole")["Policies"][0]["PolicyDocument"]["Statement"][1]
    passing["Condition"] = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    assert "lacks iam:PassRole" in only(draft, RULE)[0].message


def test_a_role_that_is_known_at_run_time_only() -> None:
    draft = training()
    machine = draft.properties("Machine")
    machine["DefinitionString"] = machine["DefinitionString"].replace('"RoleArn": "${JobRole}"', '"RoleArn.$": "$.r"')
    draft.properties("MachineRole")["Policies"][0]["PolicyDocument"]["Statement"][1]["Resource"] = arn_of("OtherRole")
    quiet(draft, RULE)


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("s3:GetObject", "lacks s3:GetObject on the job's input s3://data/train"),
        ("s3:PutObject", "lacks s3:PutObject on the job's output s3://models/output"),
    ],
)
def test_a_job_without_access_to_its_own_data(action: str, says: str) -> None:
    draft = without(training(), "JobRole", action)
    (found,) = only(draft, RULE)
    assert (found.place, found.is_error) == ("JobRole", True)
    assert says in found.message


@pytest.mark.parametrize(
    "resource",
    ["arn:aws:s3:::data/train*", "arn:aws:s3:::data/train/2026/*", "arn:aws:s3:::data/*", "*"],
)
def test_access_to_data_in_other_words(resource: str) -> None:
    draft = without(training(), "JobRole", "s3:GetObject")
    quiet(add(draft, "JobRole", Action="s3:Get*", Resource=resource), RULE)


def test_a_channel_of_one_object() -> None:
    draft = training(data="s3://data/train.csv")
    draft = without(draft, "JobRole", "s3:GetObject")
    quiet(add(draft, "JobRole", Action="s3:GetObject", Resource="arn:aws:s3:::data/train.csv"), RULE)


SOURCES: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "sqs": (
        {"Type": "AWS::SQS::Queue"},
        "Arn",
        ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    ),
    "kinesis": (
        {"Type": "AWS::Kinesis::Stream"},
        "Arn",
        ["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator"],
    ),
    "dynamodb": (
        {"Type": "AWS::DynamoDB::Table"},
        "StreamArn",
        ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
    ),
}


def reading(service: str, resource: Any = None) -> Draft:
    """A function that may read its event source."""
    body, attribute, actions = SOURCES[service]
    arn = {"Fn::GetAtt": ["Source", attribute]}
    return draft_of(
        {
            "Source": body,
            "Role": role(
                "lambda.amazonaws.com",
                {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"]},
                {"Action": actions, "Resource": resource or arn},
            ),
            "Function": {"Type": "AWS::Lambda::Function", "Properties": {"Role": arn_of("Role")}},
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {"FunctionName": {"Ref": "Function"}, "FunctionVersion": "1", "Name": "live"},
            },
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {"FunctionName": {"Ref": "Function"}, "EventSourceArn": arn},
            },
        }
    )


@pytest.mark.parametrize("function", ["Function", "Alias"])
@pytest.mark.parametrize("service", list(SOURCES))
def test_an_event_source_that_the_function_may_not_read(service: str, function: str) -> None:
    draft = reading(service)
    draft.properties("Mapping")["FunctionName"] = {"Ref": function}
    assert missing(draft) == []
    (found,) = only(without(draft, "Role", SOURCES[service][2][1]), RULE)
    assert (found.place, found.is_error) == ("Role", True)
    assert f"lacks {SOURCES[service][2][1]}" in found.message
    assert "event source mapping Mapping" in found.message


def test_a_stream_named_by_the_pattern_of_its_table() -> None:
    draft = reading("dynamodb", {"Fn::Sub": "${Source.Arn}/stream/*"})
    assert missing(draft) == []


def test_a_queue_whose_own_policy_may_let_the_function_in() -> None:
    draft = without(reading("sqs"), "Role", *SOURCES["sqs"][2])
    draft.add("Policy", "AWS::SQS::QueuePolicy", {"Queues": [{"Ref": "Source"}], "PolicyDocument": {"Statement": []}})
    quiet(draft, RULE)


def test_a_function_without_logs_works_unseen() -> None:
    draft = without(reading("sqs"), "Role", "logs:PutLogEvents")
    (found,) = [each for each in draft.findings() if each.code == RULE.code]
    assert not found.is_error
    assert "logs:PutLogEvents" in found.message


def calling(resource: str, parameters: Any, *statements: dict[str, Any]) -> Draft:
    """A machine with one task, and the role and the task definition that it may hand on."""
    task = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "End": True}
    if parameters is not None:
        task["Parameters"] = parameters
    container = {"Name": "c", "Image": "public.ecr.aws/x/y"}
    tasks = {"Family": "work", "ExecutionRoleArn": arn_of("JobRole"), "ContainerDefinitions": [container]}
    definition = {"StartAt": "Call", "States": {"Call": task}}
    draft = draft_of({"JobRole": role("sagemaker.amazonaws.com")})
    draft.template()["Resources"].update(
        {
            "MachineRole": role("states.amazonaws.com", {"NotAction": "iam:*"}, *statements),
            "Tasks": {"Type": "AWS::ECS::TaskDefinition", "Properties": tasks},
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": arn_of("MachineRole"),
                    "DefinitionString": json.dumps(definition),
                    "DefinitionSubstitutions": {"JobRole": arn_of("JobRole"), "Tasks": {"Ref": "Tasks"}},
                },
            },
        }
    )
    return draft


def passes(draft: Draft) -> list[str]:
    found = [each for each in draft.findings() if each.code == RULE.code and "lacks iam:PassRole" in each.message]
    return [each.place for each in found if each.is_error]


PASSING: list[tuple[str, Any, str]] = [
    ("aws-sdk:sagemaker:createTrainingJob", {"RoleArn": "${JobRole}"}, "sagemaker"),
    ("aws-sdk:sagemaker:createModel", {"ExecutionRoleArn": "${JobRole}"}, "sagemaker"),
    ("aws-sdk:sagemaker:createLabelingJob", {"RoleArn.$": "$.role"}, "sagemaker"),
    ("aws-sdk:sagemaker:createDomain", {"DefaultUserSettings": {"ExecutionRole": "${JobRole}"}}, "sagemaker"),
    ("aws-sdk:glue:createJob", {"Role": "${JobRole}"}, "glue"),
    ("aws-sdk:sfn:createStateMachine", {"RoleArn": "${JobRole}"}, "states"),
    ("aws-sdk:eks:createCluster", None, "eks"),
    ("aws-sdk:scheduler:createSchedule", {"Target": {"Arn": "a", "RoleArn": "${JobRole}"}}, "scheduler"),
    ("aws-sdk:ecs:runTask", {"TaskDefinition": "${Tasks}"}, "ecs-tasks"),
    ("ecs:runTask.sync", {"TaskDefinition": "${Tasks}", "Overrides": {"TaskRoleArn": "${JobRole}"}}, "ecs-tasks"),
    ("sagemaker:createProcessingJob.sync", {"RoleArn": "${JobRole}"}, "sagemaker"),
]


@pytest.mark.parametrize(("resource", "parameters", "service"), PASSING, ids=[each[0] for each in PASSING])
def test_whatever_task_hands_on_a_role_its_machine_may_pass_it(resource: str, parameters: Any, service: str) -> None:
    assert passes(calling(resource, parameters)) == ["MachineRole"]
    passing = {"Action": "iam:PassRole", "Resource": arn_of("JobRole")}
    bound = {"Condition": {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}}
    assert passes(calling(resource, parameters, {**passing, **bound})) == []
    assert passes(calling(resource, parameters, passing)) == []


@pytest.mark.parametrize(
    ("resource", "parameters"),
    [
        ("aws-sdk:sagemaker:createEndpoint", {"EndpointName": "e"}),
        ("aws-sdk:sagemaker:describeTrainingJob", None),
        ("aws-sdk:lambda:updateFunctionConfiguration", {"FunctionName": "f"}),
        ("aws-sdk:sts:assumeRole", {"RoleArn": "${JobRole}"}),
        ("aws-sdk:ecs:runTask", {"TaskDefinition.$": "$.definition"}),
        ("aws-sdk:unheardof:createThing", {"RoleArn": "${JobRole}"}),
    ],
)
def test_a_task_that_hands_on_no_role_needs_to_pass_none(resource: str, parameters: Any) -> None:
    assert passes(calling(resource, parameters)) == []


SECRET = "arn:aws:secretsmanager:us-east-1:111111111111:secret:token-AbCdEf"
SECRETS: list[tuple[Any, str, Any]] = [
    ({"Ref": "Secret"}, "secretsmanager:GetSecretValue", {"Ref": "Secret"}),
    ({"Fn::Sub": "${Secret}:password::"}, "secretsmanager:GetSecretValue", {"Ref": "Secret"}),
    ({"Fn::Sub": "${Attached}:password::"}, "secretsmanager:GetSecretValue", {"Ref": "Secret"}),
    ({"Fn::Sub": "${Secret}:password::"}, "secretsmanager:GetSecretValue", {"Ref": "Attached"}),
    (f"{SECRET}:password::", "secretsmanager:GetSecretValue", SECRET),
    (SECRET.removesuffix("-AbCdEf"), "secretsmanager:GetSecretValue", SECRET.replace("AbCdEf", "??????")),
    ({"Ref": "Parameter"}, "ssm:GetParameters", {"Fn::Sub": "arn:aws:ssm:*:*:parameter/${Parameter}"}),
    ("arn:aws:ssm:us-east-1:111111111111:parameter/p", "ssm:GetParameters", "arn:aws:ssm:*:*:parameter/*"),
]


@pytest.mark.parametrize(("value", "action", "resource"), SECRETS)
@pytest.mark.parametrize("kind", ["AWS::ECS::TaskDefinition", "AWS::Batch::JobDefinition"])
def test_what_starts_a_container_may_read_its_secrets(kind: str, value: Any, action: str, resource: Any) -> None:
    container = {"Name": "c", "Image": "public.ecr.aws/x/y", "Secrets": [{"Name": "S", "ValueFrom": value}]}
    task = {"ExecutionRoleArn": arn_of("Start"), "ContainerDefinitions": [container]}
    job = {
        "Type": "container",
        "ContainerProperties": {**container, "ExecutionRoleArn": arn_of("Start"), "Memory": 512},
    }
    attached = {"SecretId": {"Ref": "Secret"}, "TargetId": "db", "TargetType": "AWS::RDS::DBInstance"}
    parameter = {"Name": "app-token", "Type": "String", "Value": "v"}

    def found(*statements: dict[str, Any]) -> list[str]:
        draft = draft_of({"JobRole": role("ecs-tasks.amazonaws.com")})
        draft.template()["Resources"].update(
            {
                "Secret": {"Type": "AWS::SecretsManager::Secret"},
                "Attached": {"Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": attached},
                "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": parameter},
                "Start": role("ecs-tasks.amazonaws.com", {"Action": "logs:*"}, *statements),
                "Task": {"Type": kind, "Properties": task if "ECS" in kind else job},
            }
        )
        return [each.place for each in draft.findings() if each.code == RULE.code and f"lacks {action}" in each.message]

    assert found() == ["Start"]
    assert found({"Action": action, "Resource": resource}) == []


@pytest.mark.parametrize("by", ["rule", "machine"])
@pytest.mark.parametrize("also", [None, {"Ref": "Job"}, {"Fn::Sub": "arn:aws:batch:*:*:job-definition/${Job}*"}, "*"])
def test_who_submits_a_job_may_use_its_definition_too(by: str, also: Any) -> None:
    job = {"Type": "container", "ContainerProperties": {"Image": "i", "Vcpus": 1, "Memory": 512}}
    queue = {"Priority": 1, "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": "e"}]}
    parameters = {"JobName": "j", "JobQueue": "${Queue}", "JobDefinition": "${Job}"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob", "Parameters": parameters, "End": True}
    target = {
        "Id": "t",
        "Arn": {"Ref": "Queue"},
        "RoleArn": arn_of("Role"),
        "BatchParameters": {"JobDefinition": {"Ref": "Job"}, "JobName": "j"},
    }
    starts: dict[str, Any] = {
        "rule": {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 day)", "Targets": [target]}},
        "machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": arn_of("Role"),
                "DefinitionString": json.dumps({"StartAt": "S", "States": {"S": task}}),
                "DefinitionSubstitutions": {"Queue": {"Ref": "Queue"}, "Job": {"Ref": "Job"}},
            },
        },
    }
    named = [{"Ref": "Queue"}, *([also] if also else [])]
    if also and "Fn::Sub" in also:
        named[1] = {"Fn::Join": ["", [{"Ref": "Job"}, "*"]]}
    draft = draft_of({"JobRole": role("events.amazonaws.com")})
    draft.template()["Resources"].update(
        {
            "Queue": {"Type": "AWS::Batch::JobQueue", "Properties": queue},
            "Job": {"Type": "AWS::Batch::JobDefinition", "Properties": job},
            "Role": role("events.amazonaws.com", {"Action": "batch:SubmitJob", "Resource": named}),
            "Start": starts[by],
        }
    )
    found = [each for each in draft.findings() if each.code == RULE.code and "lacks batch:SubmitJob" in each.message]
    assert [each.is_error for each in found] == [True] * (also is None)
