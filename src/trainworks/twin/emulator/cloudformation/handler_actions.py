"""Which permissions CloudFormation needs to make, change and delete a resource: those of the calls that it makes.

After the `handlers` of the types' schemas (CloudFormation registry) and the API reference of each service: of the
permissions that a schema lists, a handler uses those of the properties that a template has. A type without an entry
needs what its calls are usually named: `Create...`, `Update...`, `Delete...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Handler:
    """The actions of one type, each list as words. `arn` has `{Property}`, `{id}`, `{region}` and `{account}`.

    `properties` are actions for a property that is there at a create or differs at an update; `update` is needed for
    any other difference. `targets` are ARNs for actions on something else than the resource itself.
    """

    create: str = ""
    update: str = ""
    delete: str = ""
    arn: str = "*"
    properties: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)


_EC2 = "arn:aws:ec2:{region}:{account}"
_IAM = "arn:aws:iam::{account}"
_EVENTS = "arn:aws:events:{region}:{account}"
_FUNCTION = "arn:aws:lambda:{region}:{account}:function:{FunctionName}"
_LOG_GROUP = "arn:aws:logs:{region}:{account}:log-group:{LogGroupName}:*"
_QUIET = Handler()


def _named(service: str, name: str, arn: str = "*", **more: str) -> Handler:
    """The usual three calls."""
    return Handler(f"{service}:Create{name}", f"{service}:Update{name}", f"{service}:Delete{name}", arn, more)


def _one(action: str, arn: str) -> Handler:
    """One call for everything."""
    return Handler(action, action, action, arn)


HANDLERS: dict[str, Handler] = {
    "AWS::Batch::ComputeEnvironment": _named(
        "batch",
        "ComputeEnvironment",
        "arn:aws:batch:{region}:{account}:compute-environment/{ComputeEnvironmentName}",
        Tags="batch:TagResource",
    ),
    "AWS::Batch::JobDefinition": Handler(
        "batch:RegisterJobDefinition",
        "batch:RegisterJobDefinition",
        "batch:DeregisterJobDefinition",
        "arn:aws:batch:{region}:{account}:job-definition/{JobDefinitionName}",
        {"Tags": "batch:TagResource"},
    ),
    "AWS::Batch::JobQueue": _named(
        "batch", "JobQueue", "arn:aws:batch:{region}:{account}:job-queue/{JobQueueName}", Tags="batch:TagResource"
    ),
    "AWS::Budgets::Budget": _one("budgets:ModifyBudget", "arn:aws:budgets::{account}:budget/{id}"),
    "AWS::CDK::Metadata": _QUIET,
    "AWS::CE::AnomalyMonitor": _named("ce", "AnomalyMonitor"),
    "AWS::CE::AnomalySubscription": _named("ce", "AnomalySubscription"),
    "AWS::CloudFormation::CustomResource": _one("lambda:InvokeFunction", "{ServiceToken}"),
    "AWS::CloudFormation::Stack": _named(
        "cloudformation", "Stack", "arn:aws:cloudformation:{region}:{account}:stack/{id}/*"
    ),
    "AWS::CloudFormation::WaitCondition": _QUIET,
    "AWS::CloudFormation::WaitConditionHandle": _QUIET,
    "AWS::CloudWatch::Alarm": Handler(
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:DeleteAlarms",
        "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}",
    ),
    "AWS::CloudWatch::Dashboard": Handler(
        "cloudwatch:PutDashboard",
        "cloudwatch:PutDashboard",
        "cloudwatch:DeleteDashboards",
        "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",
    ),
    "AWS::DynamoDB::GlobalTable": _named(
        "dynamodb", "Table", "arn:aws:dynamodb:{region}:{account}:table/{TableName}", Tags="dynamodb:TagResource"
    ),
    "AWS::DynamoDB::Table": _named(
        "dynamodb",
        "Table",
        "arn:aws:dynamodb:{region}:{account}:table/{TableName}",
        Tags="dynamodb:TagResource",
        TimeToLiveSpecification="dynamodb:UpdateTimeToLive",
        PointInTimeRecoverySpecification="dynamodb:UpdateContinuousBackups",
        ResourcePolicy="dynamodb:PutResourcePolicy",
    ),
    "AWS::EC2::EIP": Handler("ec2:AllocateAddress", "", "ec2:ReleaseAddress", f"{_EC2}:elastic-ip/*"),
    "AWS::EC2::FlowLog": Handler("ec2:CreateFlowLogs", "", "ec2:DeleteFlowLogs", f"{_EC2}:vpc-flow-log/*"),
    "AWS::EC2::InternetGateway": Handler(
        "ec2:CreateInternetGateway", "", "ec2:DeleteInternetGateway", f"{_EC2}:internet-gateway/{{id}}"
    ),
    "AWS::EC2::LaunchTemplate": Handler(
        "ec2:CreateLaunchTemplate",
        "ec2:CreateLaunchTemplateVersion",
        "ec2:DeleteLaunchTemplate",
        f"{_EC2}:launch-template/{{id}}",
    ),
    "AWS::EC2::NatGateway": Handler("ec2:CreateNatGateway", "", "ec2:DeleteNatGateway", f"{_EC2}:natgateway/{{id}}"),
    "AWS::EC2::NetworkAcl": Handler("ec2:CreateNetworkAcl", "", "ec2:DeleteNetworkAcl", f"{_EC2}:network-acl/{{id}}"),
    "AWS::EC2::NetworkAclEntry": Handler(
        "ec2:CreateNetworkAclEntry",
        "ec2:ReplaceNetworkAclEntry",
        "ec2:DeleteNetworkAclEntry",
        f"{_EC2}:network-acl/{{NetworkAclId}}",
    ),
    "AWS::EC2::Route": Handler(
        "ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute", f"{_EC2}:route-table/{{RouteTableId}}"
    ),
    "AWS::EC2::RouteTable": Handler("ec2:CreateRouteTable", "", "ec2:DeleteRouteTable", f"{_EC2}:route-table/{{id}}"),
    "AWS::EC2::SecurityGroup": Handler(
        "ec2:CreateSecurityGroup",
        "",
        "ec2:DeleteSecurityGroup",
        f"{_EC2}:security-group/{{id}}",
        {
            "SecurityGroupIngress": "ec2:AuthorizeSecurityGroupIngress",
            "SecurityGroupEgress": "ec2:AuthorizeSecurityGroupEgress",
            "Tags": "ec2:CreateTags",
        },
    ),
    "AWS::EC2::SecurityGroupEgress": Handler(
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupEgress",
        f"{_EC2}:security-group/{{GroupId}}",
    ),
    "AWS::EC2::SecurityGroupIngress": Handler(
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupIngress",
        f"{_EC2}:security-group/{{GroupId}}",
    ),
    "AWS::EC2::Subnet": Handler(
        "ec2:CreateSubnet",
        "ec2:ModifySubnetAttribute",
        "ec2:DeleteSubnet",
        f"{_EC2}:subnet/{{id}}",
        {"MapPublicIpOnLaunch": "ec2:ModifySubnetAttribute"},
    ),
    "AWS::EC2::SubnetNetworkAclAssociation": Handler(
        "ec2:ReplaceNetworkAclAssociation",
        "ec2:ReplaceNetworkAclAssociation",
        "ec2:ReplaceNetworkAclAssociation",
        f"{_EC2}:network-acl/{{NetworkAclId}}",
    ),
    "AWS::EC2::SubnetRouteTableAssociation": Handler(
        "ec2:AssociateRouteTable",
        "ec2:ReplaceRouteTableAssociation",
        "ec2:DisassociateRouteTable",
        f"{_EC2}:route-table/{{RouteTableId}}",
    ),
    "AWS::EC2::VPC": Handler(
        "ec2:CreateVpc",
        "ec2:ModifyVpcAttribute",
        "ec2:DeleteVpc",
        f"{_EC2}:vpc/{{id}}",
        {"EnableDnsHostnames": "ec2:ModifyVpcAttribute", "EnableDnsSupport": "ec2:ModifyVpcAttribute"},
    ),
    "AWS::EC2::VPCEndpoint": Handler(
        "ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints", f"{_EC2}:vpc-endpoint/{{id}}"
    ),
    "AWS::EC2::VPCGatewayAttachment": Handler(
        "ec2:AttachInternetGateway", "", "ec2:DetachInternetGateway", f"{_EC2}:vpc/{{VpcId}}"
    ),
    "AWS::ECR::Repository": Handler(
        "ecr:CreateRepository",
        "",
        "ecr:DeleteRepository",
        "arn:aws:ecr:{region}:{account}:repository/{RepositoryName}",
        {
            "ImageScanningConfiguration": "ecr:PutImageScanningConfiguration",
            "ImageTagMutability": "ecr:PutImageTagMutability",
            "LifecyclePolicy": "ecr:PutLifecyclePolicy",
            "RepositoryPolicyText": "ecr:SetRepositoryPolicy",
            "Tags": "ecr:TagResource",
        },
    ),
    "AWS::Events::EventBus": _named(
        "events", "EventBus", f"{_EVENTS}:event-bus/{{Name}}", Policy="events:PutPermission"
    ),
    "AWS::Events::EventBusPolicy": Handler(
        "events:PutPermission",
        "events:PutPermission",
        "events:RemovePermission",
        f"{_EVENTS}:event-bus/{{EventBusName}}",
    ),
    "AWS::Events::Rule": Handler(
        "events:PutRule",
        "events:PutRule",
        "events:RemoveTargets events:DeleteRule",
        f"{_EVENTS}:rule/{{Name}}",
        {"Targets": "events:PutTargets", "Tags": "events:TagResource"},
    ),
    "AWS::IAM::InstanceProfile": Handler(
        "iam:CreateInstanceProfile",
        "",
        "iam:RemoveRoleFromInstanceProfile iam:DeleteInstanceProfile",
        f"{_IAM}:instance-profile/{{InstanceProfileName}}",
        {"Roles": "iam:AddRoleToInstanceProfile"},
    ),
    "AWS::IAM::ManagedPolicy": Handler(
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        f"{_IAM}:policy/{{ManagedPolicyName}}",
        {"Roles": "iam:AttachRolePolicy", "Users": "iam:AttachUserPolicy", "Groups": "iam:AttachGroupPolicy"},
        {
            "iam:AttachRolePolicy": f"{_IAM}:role/{{Roles}}",
            "iam:AttachUserPolicy": f"{_IAM}:user/{{Users}}",
            "iam:AttachGroupPolicy": f"{_IAM}:group/{{Groups}}",
        },
    ),
    "AWS::IAM::Policy": Handler(
        properties={"Roles": "iam:PutRolePolicy", "Users": "iam:PutUserPolicy", "Groups": "iam:PutGroupPolicy"},
        update="iam:PutRolePolicy iam:PutUserPolicy iam:PutGroupPolicy",
        delete="iam:DeleteRolePolicy iam:DeleteUserPolicy iam:DeleteGroupPolicy",
        targets={
            **{f"iam:{verb}RolePolicy": f"{_IAM}:role/{{Roles}}" for verb in ("Put", "Delete")},
            **{f"iam:{verb}UserPolicy": f"{_IAM}:user/{{Users}}" for verb in ("Put", "Delete")},
            **{f"iam:{verb}GroupPolicy": f"{_IAM}:group/{{Groups}}" for verb in ("Put", "Delete")},
        },
    ),
    "AWS::IAM::Role": Handler(
        "iam:CreateRole",
        "iam:UpdateRole",
        "iam:DeleteRole",
        f"{_IAM}:role/{{RoleName}}",
        {
            "AssumeRolePolicyDocument": "iam:CreateRole|iam:UpdateAssumeRolePolicy",
            "ManagedPolicyArns": "iam:AttachRolePolicy",
            "PermissionsBoundary": "iam:CreateRole|iam:PutRolePermissionsBoundary",
            "Policies": "iam:PutRolePolicy",
            "Tags": "iam:TagRole",
        },
    ),
    "AWS::IAM::User": Handler(
        "iam:CreateUser",
        "iam:UpdateUser",
        "iam:DeleteUser",
        f"{_IAM}:user/{{UserName}}",
        {
            "Groups": "iam:AddUserToGroup",
            "LoginProfile": "iam:CreateLoginProfile",
            "ManagedPolicyArns": "iam:AttachUserPolicy",
            "Policies": "iam:PutUserPolicy",
            "Tags": "iam:TagUser",
        },
    ),
    "AWS::KMS::Alias": _named("kms", "Alias", "arn:aws:kms:{region}:{account}:{AliasName}"),
    "AWS::KMS::Key": Handler(
        "kms:CreateKey",
        "kms:UpdateKeyDescription",
        "kms:ScheduleKeyDeletion",
        "arn:aws:kms:{region}:{account}:key/{id}",
        {
            "EnableKeyRotation": "kms:EnableKeyRotation",
            "KeyPolicy": "kms:CreateKey|kms:PutKeyPolicy",
            "Tags": "kms:TagResource",
        },
        {"kms:CreateKey": "*"},
    ),
    "AWS::Lambda::Alias": _named("lambda", "Alias", _FUNCTION),
    "AWS::Lambda::EventInvokeConfig": Handler(
        "lambda:PutFunctionEventInvokeConfig",
        "lambda:PutFunctionEventInvokeConfig",
        "lambda:DeleteFunctionEventInvokeConfig",
        _FUNCTION,
    ),
    "AWS::Lambda::EventSourceMapping": _named(
        "lambda", "EventSourceMapping", "arn:aws:lambda:{region}:{account}:event-source-mapping:{id}"
    ),
    "AWS::Lambda::Function": Handler(
        "lambda:CreateFunction",
        "lambda:UpdateFunctionConfiguration",
        "lambda:DeleteFunction",
        _FUNCTION,
        {
            "Code": "lambda:CreateFunction|lambda:UpdateFunctionCode",
            "ReservedConcurrentExecutions": "lambda:PutFunctionConcurrency",
            "Tags": "lambda:TagResource",
        },
    ),
    "AWS::Lambda::LayerVersion": Handler(
        "lambda:PublishLayerVersion",
        "",
        "lambda:DeleteLayerVersion",
        "arn:aws:lambda:{region}:{account}:layer:{LayerName}",
    ),
    "AWS::Lambda::LayerVersionPermission": Handler(
        "lambda:AddLayerVersionPermission", "", "lambda:RemoveLayerVersionPermission", "{LayerVersionArn}"
    ),
    "AWS::Lambda::Permission": Handler("lambda:AddPermission", "", "lambda:RemovePermission", _FUNCTION),
    "AWS::Lambda::Url": Handler(
        "lambda:CreateFunctionUrlConfig",
        "lambda:UpdateFunctionUrlConfig",
        "lambda:DeleteFunctionUrlConfig",
        "arn:aws:lambda:{region}:{account}:function:{TargetFunctionArn}",
    ),
    "AWS::Lambda::Version": Handler("lambda:PublishVersion", "", "lambda:DeleteFunction", _FUNCTION),
    "AWS::Logs::LogGroup": Handler(
        "logs:CreateLogGroup",
        "",
        "logs:DeleteLogGroup",
        _LOG_GROUP,
        {
            "KmsKeyId": "logs:CreateLogGroup|logs:AssociateKmsKey",
            "RetentionInDays": "logs:PutRetentionPolicy",
            "Tags": "logs:TagResource",
        },
    ),
    "AWS::Logs::LogStream": Handler("logs:CreateLogStream", "", "logs:DeleteLogStream", _LOG_GROUP),
    "AWS::Logs::MetricFilter": Handler(
        "logs:PutMetricFilter", "logs:PutMetricFilter", "logs:DeleteMetricFilter", _LOG_GROUP
    ),
    "AWS::Logs::ResourcePolicy": Handler(
        "logs:PutResourcePolicy", "logs:PutResourcePolicy", "logs:DeleteResourcePolicy"
    ),
    "AWS::Logs::SubscriptionFilter": Handler(
        "logs:PutSubscriptionFilter", "logs:PutSubscriptionFilter", "logs:DeleteSubscriptionFilter", _LOG_GROUP
    ),
    "AWS::S3::AccessPoint": _named("s3", "AccessPoint", "arn:aws:s3:{region}:{account}:accesspoint/{Name}"),
    "AWS::S3::Bucket": Handler(
        "s3:CreateBucket",
        "",
        "s3:DeleteBucket",
        "arn:aws:s3:::{BucketName}",
        {
            "AccelerateConfiguration": "s3:PutAccelerateConfiguration",
            "AnalyticsConfigurations": "s3:PutAnalyticsConfiguration",
            "BucketEncryption": "s3:PutEncryptionConfiguration",
            "CorsConfiguration": "s3:PutBucketCORS",
            "IntelligentTieringConfigurations": "s3:PutIntelligentTieringConfiguration",
            "InventoryConfigurations": "s3:PutInventoryConfiguration",
            "LifecycleConfiguration": "s3:PutLifecycleConfiguration",
            "LoggingConfiguration": "s3:PutBucketLogging",
            "MetricsConfigurations": "s3:PutMetricsConfiguration",
            "NotificationConfiguration": "s3:PutBucketNotification",
            "ObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
            "OwnershipControls": "s3:PutBucketOwnershipControls",
            "PublicAccessBlockConfiguration": "s3:PutBucketPublicAccessBlock",
            "ReplicationConfiguration": "s3:PutReplicationConfiguration",
            "Tags": "s3:PutBucketTagging",
            "VersioningConfiguration": "s3:PutBucketVersioning",
            "WebsiteConfiguration": "s3:PutBucketWebsite",
        },
    ),
    "AWS::S3::BucketPolicy": Handler(
        "s3:PutBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "arn:aws:s3:::{Bucket}"
    ),
    "AWS::S3::MultiRegionAccessPoint": _named(
        "s3", "MultiRegionAccessPoint", "arn:aws:s3::{account}:accesspoint/{Name}"
    ),
    "AWS::SNS::Subscription": Handler(
        "sns:Subscribe", "sns:SetSubscriptionAttributes", "sns:Unsubscribe", "{TopicArn}"
    ),
    "AWS::SNS::Topic": Handler(
        "sns:CreateTopic",
        "sns:SetTopicAttributes",
        "sns:DeleteTopic",
        "arn:aws:sns:{region}:{account}:{TopicName}",
        {"Subscription": "sns:Subscribe", "Tags": "sns:TagResource"},
    ),
    "AWS::SNS::TopicPolicy": _one("sns:SetTopicAttributes", "{Topics}"),
    "AWS::SQS::Queue": Handler(
        "sqs:CreateQueue",
        "sqs:SetQueueAttributes",
        "sqs:DeleteQueue",
        "arn:aws:sqs:{region}:{account}:{QueueName}",
        {"Tags": "sqs:TagQueue"},
    ),
    "AWS::SQS::QueuePolicy": _one("sqs:SetQueueAttributes", "arn:aws:sqs:{region}:{account}:{Queues}"),
    "AWS::SSM::Parameter": Handler(
        "ssm:PutParameter",
        "ssm:PutParameter",
        "ssm:DeleteParameter",
        "arn:aws:ssm:{region}:{account}:parameter/{Name}",
        {"Tags": "ssm:AddTagsToResource"},
    ),
    "AWS::SageMaker::NotebookInstance": _named(
        "sagemaker",
        "NotebookInstance",
        "arn:aws:sagemaker:{region}:{account}:notebook-instance/{NotebookInstanceName}",
        Tags="sagemaker:AddTags",
    ),
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": _named(
        "sagemaker",
        "NotebookInstanceLifecycleConfig",
        "arn:aws:sagemaker:{region}:{account}:notebook-instance-lifecycle-config/{NotebookInstanceLifecycleConfigName}",
    ),
    "AWS::Scheduler::Schedule": _named(
        "scheduler", "Schedule", "arn:aws:scheduler:{region}:{account}:schedule/{GroupName}/{Name}"
    ),
    "AWS::Scheduler::ScheduleGroup": Handler(
        "scheduler:CreateScheduleGroup",
        "scheduler:TagResource",
        "scheduler:DeleteScheduleGroup",
        "arn:aws:scheduler:{region}:{account}:schedule-group/{Name}",
    ),
    "AWS::SecretsManager::Secret": _named(
        "secretsmanager",
        "Secret",
        "arn:aws:secretsmanager:{region}:{account}:secret:{Name}-??????",
        GenerateSecretString="secretsmanager:GetRandomPassword",
        Tags="secretsmanager:TagResource",
    ),
    "AWS::SecretsManager::SecretTargetAttachment": Handler(
        "secretsmanager:GetSecretValue secretsmanager:PutSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:PutSecretValue",
        "{SecretId}",
    ),
    "AWS::StepFunctions::StateMachine": _named(
        "states",
        "StateMachine",
        "arn:aws:states:{region}:{account}:stateMachine:{StateMachineName}",
        Tags="states:TagResource",
    ),
}

# The prefix of a service's actions, where it is not the service's name in a type.
_PREFIXES = {
    "applicationautoscaling": "application-autoscaling",
    "certificatemanager": "acm",
    "cognito": "cognito-idp",
    "efs": "elasticfilesystem",
    "elasticloadbalancingv2": "elasticloadbalancing",
    "kinesisfirehose": "firehose",
    "opensearchservice": "es",
    "resourcegroups": "resource-groups",
    "stepfunctions": "states",
}


@dataclass(frozen=True, slots=True)
class Need:
    """One permission: an action on a resource."""

    action: str
    resource: str


def needs_to_create(type_name: str, properties: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[Need]:
    """What a create needs. `places` has `id` (what the resource will be called), `region` and `account`."""
    handler = handler_of(type_name)
    yield from _needs(handler, handler.create, properties, places)
    for name, actions in handler.properties.items():
        if _given(properties, name) not in (None, [], {}):
            yield from _needs(handler, actions.partition("|")[0], properties, places)


def needs_to_update(
    type_name: str, old: Mapping[str, Any], new: Mapping[str, Any], places: Mapping[str, str]
) -> Iterator[Need]:
    """What an update in place needs."""
    handler = handler_of(type_name)
    changed = [name for name in {**old, **new} if _given(old, name) != _given(new, name)]
    actions = [handler.properties[name].rpartition("|")[2] for name in changed if name in handler.properties]
    if any(name not in handler.properties for name in changed):
        actions.append(handler.update)
    for each in dict.fromkeys(actions):
        yield from _needs(handler, each, new, places)


def needs_to_delete(type_name: str, properties: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[Need]:
    """What a delete needs."""
    handler = handler_of(type_name)
    yield from _needs(handler, handler.delete, properties, places)


def _given(properties: Mapping[str, Any], name: str) -> Any:
    """A property as its template has it: tags of CloudFormation's own need no permission of the caller."""
    value = properties.get(name)
    if name != "Tags":
        return value
    if isinstance(value, Mapping):
        return {key: each for key, each in value.items() if not str(key).startswith("aws:")}
    return [each for each in value or () if not str(each.get("Key", "")).startswith("aws:")]


def handler_of(type_name: str) -> Handler:
    """The actions of a type."""
    if type_name.startswith("Custom::"):
        return HANDLERS["AWS::CloudFormation::CustomResource"]
    if type_name in HANDLERS:
        return HANDLERS[type_name]
    if (found := _by_schema(type_name)) is not None:
        return found
    _, service, name = (*type_name.split("::"), "", "")[:3]
    return _named(_PREFIXES.get(service.lower(), service.lower()), name)


def _by_schema(type_name: str) -> Handler | None:
    """The main action of each handler that AWS's schema of the type lists; None if it lists none."""
    from trainworks.assembly.schemas import schema  # noqa: PLC0415 - read with the first stack

    found = schema(type_name)
    if found is None:
        return None
    create, update, delete = (found.action(operation) for operation in ("create", "update", "delete"))
    return Handler(create, update, delete) if create or update or delete else None


def _needs(handler: Handler, actions: str, properties: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[Need]:
    for action in actions.split():
        target = handler.targets.get(action)
        for resource in _resources(target or handler.arn, properties, places, optional=target is not None):
            yield Need(action, resource)


def _resources(
    template: str, properties: Mapping[str, Any], places: Mapping[str, str], *, optional: bool
) -> Iterator[str]:
    """The ARNs of a template: one for each item of a list. With `optional`, none if the property is absent."""
    named = [name for name in re.findall(r"\{(\w+)\}", template) if name not in places]
    if not named:
        yield template.format_map(places)
        return
    value = properties.get(named[0])
    if optional and not value:
        return
    for item in value if isinstance(value, list) else [value]:
        text = str(item) if item else places["id"]
        if text.startswith("arn:"):
            yield text
        else:
            others = {name: str(properties.get(name) or "default") for name in named[1:]}
            yield template.format_map({**places, **others, named[0]: text.rsplit("/", 1)[-1].lstrip("/")})
