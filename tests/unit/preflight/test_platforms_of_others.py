"""What platforms that are deployed do, and a check must not call an error; what else they do, as the warning it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.preflight.draft import graph_of
from trainworks.assembly.template_files import Sources, StackSource
from trainworks.preflight.checker import check
from trainworks.preflight.finding import Finding
from trainworks.preflight.settings import CheckSettings

Resources = Mapping[str, Mapping[str, Any]]
ACCOUNT_IMAGE = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/model:1"
MODEL_MONITOR = "468650794304.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer"
ENDPOINT_ACTIONS = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "logs:DescribeLogStreams",
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "cloudwatch:PutMetricData",
)
PUT_METRICS = "cloudwatch:PutMetricData"
STACK_ID_PART = {
    "Fn::Select": [4, {"Fn::Split": ["-", {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}]}]
}


def _resource(type_: str, **properties: Any) -> dict[str, Any]:
    return {"Type": type_, "Properties": properties}


def _allow(*actions: str, on: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def _role(service: str, *statements: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    if service in {"lambda", "cognito-idp", "ec2"}:
        del trust["Condition"]
    policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}
    return _resource(
        "AWS::IAM::Role",
        AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
        **({"Policies": [policy]} if statements else {}),
        **more,
    )


def _endpoint(without: tuple[str, ...] = (), image: Any = ACCOUNT_IMAGE, **config: Any) -> Resources:
    """A model's endpoint whose role may do everything that an endpoint needs, `without` some."""
    model = {"ModelName": {"Fn::GetAtt": ["Model", "ModelName"]}, "VariantName": "v", "InitialVariantWeight": 1.0}
    sized = {**model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    return {
        "Role": _role("sagemaker", _allow(*(each for each in ENDPOINT_ACTIONS if each not in without))),
        "Model": _resource(
            "AWS::SageMaker::Model",
            ExecutionRoleArn={"Fn::GetAtt": ["Role", "Arn"]},
            PrimaryContainer={"Image": image},
        ),
        "Config": _resource("AWS::SageMaker::EndpointConfig", ProductionVariants=[sized], **config),
        "Endpoint": _resource(
            "AWS::SageMaker::Endpoint", EndpointConfigName={"Fn::GetAtt": ["Config", "EndpointConfigName"]}
        ),
    }


def _alone(logical_id: str, type_: str, **properties: Any) -> Resources:
    return {logical_id: _resource(type_, **properties)}


def _logging(group: Any) -> dict[str, Any]:
    """A container that writes to the log group."""
    options = {"awslogs-group": group, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "c"}
    log = {"LogDriver": "awslogs", "Options": options}
    return {"Name": "c", "Image": "busybox", "Memory": 512, "LogConfiguration": log}


def _group(*statements: Mapping[str, Any]) -> Resources:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return _alone("Group", "AWS::IAM::Group", Policies=[{"PolicyName": "p", "PolicyDocument": document}])


def _found(resources: Resources, parameters: Mapping[str, Any]) -> list[Finding]:
    template = {"Parameters": dict(parameters), "Resources": dict(resources)}
    graph = graph_of(Sources((StackSource("template", {(): template}),)))
    return list(check(graph, CheckSettings()).findings)


def _started_by_a_rule(*statements: Mapping[str, Any]) -> Resources:
    """A task on Fargate that a rule starts as a role with these statements."""
    target = {
        "Id": "t",
        "Arn": {"Fn::GetAtt": ["Cluster", "Arn"]},
        "RoleArn": {"Fn::GetAtt": ["Starter", "Arn"]},
        "EcsParameters": {"TaskDefinitionArn": {"Ref": "Task"}, "LaunchType": "FARGATE"},
    }
    return {
        "Cluster": _resource("AWS::ECS::Cluster"),
        "TaskRole": _role("ecs-tasks"),
        "Task": _resource(
            "AWS::ECS::TaskDefinition",
            Cpu="256",
            Memory="512",
            NetworkMode="awsvpc",
            RequiresCompatibilities=["FARGATE"],
            TaskRoleArn={"Fn::GetAtt": ["TaskRole", "Arn"]},
            ContainerDefinitions=[{"Name": "c", "Image": "public.ecr.aws/docker/library/busybox"}],
        ),
        "Starter": _role("events", _allow("ecs:RunTask", on={"Ref": "Task"}), *statements),
        "Rule": _resource("AWS::Events::Rule", ScheduleExpression="rate(1 day)", Targets=[target]),
    }


ECR = tuple(each for each in ENDPOINT_ACTIONS if each.startswith("ecr:"))
TEXT_PARAMETER = {"Image": {"Type": "String"}}
VPC_ENDPOINT = _resource(
    "AWS::EC2::VPCEndpoint",
    VpcId="vpc-1",
    ServiceName="com.amazonaws.eu-west-1.vpce.x",
    VpcEndpointType="GatewayLoadBalancer",
)
FIREWALL = _resource("AWS::NetworkFirewall::Firewall", FirewallName="f", FirewallPolicyArn="arn", VpcId="vpc-1",
                     SubnetMappings=[{"SubnetId": "subnet-1"}])  # fmt: skip
TO_FIREWALL = _resource(
    "AWS::EC2::Route",
    RouteTableId="rtb-1",
    DestinationCidrBlock="0.0.0.0/0",
    VpcEndpointId={
        "Fn::Select": [1, {"Fn::Split": [":", {"Fn::Select": [0, {"Fn::GetAtt": ["Firewall", "EndpointIds"]}]}]}]
    },
)
TO_ENDPOINT_SERVICE = _resource(
    "AWS::Route53::RecordSet",
    HostedZoneId="Z1",
    Name="api.internal",
    Type="CNAME",
    TTL="60",
    ResourceRecords=[
        {
            "Fn::Select": [
                1,
                {"Fn::Split": [":", {"Fn::Select": [0, {"Fn::GetAtt": ["Service", "DnsEntries"]}]}]},
            ]
        }
    ],
)
ALARM = {
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "FunctionName", "Value": "f"}],
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "Period": 60,
    "Statistic": "Sum",
    "Threshold": 0,
}
SECRET = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:key-AbCdEf"
PASSED = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
HANDLER = "BucketNotificationsHandler050a0587b7544547bf325f094a3db834RoleDefaultPolicy2CF63D36"

RIGHT: Mapping[str, tuple[str, Resources, Mapping[str, Any]]] = {
    "an endpoint of a list": ("TW00", {"Firewall": FIREWALL, "Route": TO_FIREWALL}, {}),
    "an entry of a list": ("TW00", {"Service": VPC_ENDPOINT, "Record": TO_ENDPOINT_SERVICE}, {}),
    "the last part of the stack's id": (
        "TW00",
        _alone("T", "AWS::SNS::Topic", DisplayName=STACK_ID_PART),
        {},
    ),
    "a bucket named after the stack's id": (
        "TW20",
        _alone("B", "AWS::S3::Bucket", BucketName={"Fn::Join": ["-", ["data", STACK_ID_PART]]}),
        {},
    ),
    "an image that a parameter names": ("TW24", _endpoint(ECR, {"Ref": "Image"}), TEXT_PARAMETER),
    "the image of AWS's model monitor": ("TW24", _endpoint(ECR, MODEL_MONITOR), {}),
    "what the CDK grants with a secret": (
        "TW24",
        {
            "Role": _role(
                "ecs-tasks",
                _allow("secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", on=SECRET),
                ManagedPolicyArns=["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"],
            ),
            "Task": _resource(
                "AWS::ECS::TaskDefinition",
                ContainerDefinitions=[
                    {"Name": "c", "Image": "busybox", "Memory": 512, "Secrets": [{"Name": "K", "ValueFrom": SECRET}]}
                ],
                ExecutionRoleArn={"Fn::GetAtt": ["Role", "Arn"]},
            ),
        },
        {},
    ),
    "what AWS's own policy allows beside": (
        "TW24",
        {
            "Role": _role(
                "ec2",
                ManagedPolicyArns=[
                    "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",
                    "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
                ],
            ),
            "Profile": _resource("AWS::IAM::InstanceProfile", Roles=[{"Ref": "Role"}]),
            "Hosts": _resource(
                "AWS::Batch::ComputeEnvironment",
                Type="MANAGED",
                ComputeResources={
                    "Type": "EC2",
                    "InstanceRole": {"Fn::GetAtt": ["Profile", "Arn"]},
                    "InstanceTypes": ["m5.large"],
                    "MaxvCpus": 4,
                    "Subnets": ["subnet-1"],
                    "SecurityGroupIds": ["sg-1"],
                },
            ),
        },
        {},
    ),
    "a log group that a parameter names": (
        "TW29",
        _alone("Task", "AWS::ECS::TaskDefinition", ContainerDefinitions=[_logging({"Ref": "Group"})]),
        {"Group": {"Type": "String", "Default": "/ecs/shared"}},
    ),
    "a task's role, passed to tasks alone": (
        "TW24",
        _started_by_a_rule(_allow("iam:PassRole", on={"Fn::GetAtt": ["TaskRole", "Arn"]}, Condition=PASSED)),
        {},
    ),
    "texts of Cognito": ("TW23", {"Texts": _role("cognito-idp", _allow("sns:Publish"))}, {}),
    "a stage of another API": ("TW19", _alone("S", "AWS::ApiGateway::Stage", StageName="v1", RestApiId="a"), {}),
    "the path of a named role": ("TW19", {"R": _role("lambda", RoleName="r", Path="/team/")}, {}),
    "the path of a named profile": (
        "TW19",
        _alone("P", "AWS::IAM::InstanceProfile", InstanceProfileName="p", Path="/team/", Roles=["r"]),
        {},
    ),
}
"""Nothing of the code is to be found."""

WARNED: Mapping[str, tuple[str, Resources]] = {
    "a profile that nothing runs with": (
        "TW26",
        {
            "Role": _role("lambda", _allow("s3:GetObject", on="arn:aws:s3:::data/*")),
            "Profile": _resource("AWS::IAM::InstanceProfile", Roles=[{"Ref": "Role"}]),
        },
    ),
    "a made-up ending": ("TW20", _alone("B", "AWS::S3::Bucket", BucketName="models-1a2b3c4d5e")),
    "the account without the region": (
        "TW20",
        _alone("B", "AWS::S3::Bucket", BucketName={"Fn::Sub": "m-${AWS::AccountId}"}),
    ),
    "an endpoint without its metrics": ("TW24", _endpoint((PUT_METRICS,))),
    "the key of an endpoint's volumes": (
        "TW25",
        {
            **_endpoint(KmsKeyId={"Fn::GetAtt": ["Key", "Arn"]}),
            "Key": _resource(
                "AWS::KMS::Key",
                KeyPolicy={
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}},
                            "Action": "kms:*",
                            "Resource": "*",
                        }
                    ],
                },
            ),
        },
    ),
    "a full-access policy of AWS": (
        "TW23",
        {"R": _role("sagemaker", ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"])},
    ),
    "reading IAM": ("TW23", _group(_allow("iam:Get*", "iam:List*", "iam:GetRole"))),
    "network interfaces": ("TW23", _group(_allow("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"))),
    "roles that begin alike": (
        "TW23",
        _group(_allow("iam:PassRole", on={"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/tasks-*"}, Condition=PASSED)),
    ),
    "roles passed to one service": ("TW23", _group(_allow("iam:PassRole", Condition=PASSED))),
    "jobs on everything": ("TW23", _group(_allow("sagemaker:CreateTransformJob", "batch:SubmitJob"))),
    "every bucket's objects": ("TW23", _group(_allow("s3:GetObject", "s3:PutObject"))),
    "a bucket's every action": ("TW23", _group(_allow("s3:*", on="arn:aws:s3:::data/*"))),
    "the CDK's own handler": (
        "TW23",
        {
            HANDLER: _resource(
                "AWS::IAM::Policy",
                PolicyName="p",
                Roles=["r"],
                PolicyDocument={"Version": "2012-10-17", "Statement": [_allow("s3:PutBucketNotification")]},
            )
        },
    ),
    "a notebook with a name": (
        "TW19",
        _alone(
            "N",
            "AWS::SageMaker::NotebookInstance",
            NotebookInstanceName="n",
            SubnetId="subnet-1",
            SecurityGroupIds=["sg-1"],
            InstanceType="ml.t3.medium",
            RoleArn="arn:aws:iam::111111111111:role/r",
        ),
    ),
    "a table with a name": (
        "TW19",
        _alone(
            "T",
            "AWS::DynamoDB::Table",
            TableName="jobs",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        ),
    ),
    "a repository that is not emptied": ("TW21", {"R": {"Type": "AWS::ECR::Repository", "DeletionPolicy": "Delete"}}),
    "an alarm without action": ("TW16", _alone("A", "AWS::CloudWatch::Alarm", **ALARM)),
}
"""The code is found, and no error of it."""

WRONG: Mapping[str, tuple[str, Resources]] = {
    "an endpoint that cannot pull its image": ("TW24", _endpoint(("ecr:BatchGetImage",))),
    "a log group that nobody makes": (
        "TW29",
        _alone("Task", "AWS::ECS::TaskDefinition", ContainerDefinitions=[_logging("/ecs/shared")]),
    ),
    "a rule that may not pass the task's role": ("TW24", _started_by_a_rule()),
    "everything": ("TW23", _group(_allow("*"))),
    "any role to anybody": ("TW23", _group(_allow("iam:PassRole"))),
    "a way to more rights": ("TW23", _group(_allow("iam:AttachRolePolicy"))),
    "to delete every object": ("TW23", _group(_allow("s3:DeleteObject*"))),
    "every secret": ("TW23", _group(_allow("secretsmanager:GetSecret*"))),
    "a bucket's name that anybody may have": ("TW20", _alone("B", "AWS::S3::Bucket", BucketName="models-archive")),
}
"""Beside these, what stays an error."""


@pytest.mark.parametrize("name", RIGHT)
def test_what_works_is_not_found(name: str) -> None:
    code, resources, parameters = RIGHT[name]
    assert [each for each in _found(resources, parameters) if each.code == code or each.is_error] == []


@pytest.mark.parametrize("name", WARNED)
def test_what_fails_nothing_is_a_warning(name: str) -> None:
    code, resources = WARNED[name]
    found = _found(resources, {})
    assert code in {each.code for each in found}
    assert [each for each in found if each.is_error] == []


@pytest.mark.parametrize("name", WRONG)
def test_what_fails_or_opens_the_account_is_an_error(name: str) -> None:
    code, resources = WRONG[name]
    assert code in {each.code for each in _found(resources, {}) if each.is_error}
