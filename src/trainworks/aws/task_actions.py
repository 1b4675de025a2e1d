"""What a Step Functions task or the target of an event rule needs of its role.

Source: Step Functions Developer Guide, "Integrating services" (IAM policies of each integration); EventBridge User
Guide, "Permissions for targets".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskActions:
    """`start` starts the task on the resource that the parameter `on` names.

    `also`: what AWS's examples allow in addition, for tags and for stopping. `sync_rule`: the managed rule of
    EventBridge that tells the end to a task that waits for it (`.sync`). The roles that it passes are in
    `iam.role_members`.
    """

    start: str
    on: str = ""
    also: tuple[str, ...] = ()
    sync_rule: str = ""


_TAGS = ("sagemaker:AddTags", "sagemaker:ListTags")
MANAGED_RULE_ACTIONS = ("events:PutTargets", "events:PutRule", "events:DescribeRule")

TASKS: dict[str, TaskActions] = {
    "lambda:invoke": TaskActions("lambda:InvokeFunction", "FunctionName"),
    "sns:publish": TaskActions("sns:Publish", "TopicArn"),
    "sqs:sendMessage": TaskActions("sqs:SendMessage"),
    "dynamodb:getItem": TaskActions("dynamodb:GetItem", "TableName"),
    "dynamodb:putItem": TaskActions("dynamodb:PutItem", "TableName"),
    "dynamodb:updateItem": TaskActions("dynamodb:UpdateItem", "TableName"),
    "dynamodb:deleteItem": TaskActions("dynamodb:DeleteItem", "TableName"),
    "events:putEvents": TaskActions("events:PutEvents"),
    "states:startExecution": TaskActions(
        "states:StartExecution",
        "StateMachineArn",
        also=("states:DescribeExecution", "states:StopExecution"),
        sync_rule="StepFunctionsGetEventsForStepFunctionsExecutionRule",
    ),
    "batch:submitJob": TaskActions(
        "batch:SubmitJob",
        "JobQueue",
        also=("batch:DescribeJobs", "batch:TerminateJob"),
        sync_rule="StepFunctionsGetEventsForBatchJobsRule",
    ),
    "ecs:runTask": TaskActions(
        "ecs:RunTask",
        "TaskDefinition",
        also=("ecs:StopTask", "ecs:DescribeTasks", "ecs:TagResource"),
        sync_rule="StepFunctionsGetEventsForECSTaskRule",
    ),
    "codebuild:startBuild": TaskActions(
        "codebuild:StartBuild",
        "ProjectName",
        also=("codebuild:StopBuild", "codebuild:BatchGetBuilds", "codebuild:BatchGetReports"),
        sync_rule="StepFunctionsGetEventForCodeBuildStartBuildRule",
    ),
    "glue:startJobRun": TaskActions(
        "glue:StartJobRun", "JobName", also=("glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun")
    ),
    "sagemaker:createTrainingJob": TaskActions(
        "sagemaker:CreateTrainingJob",
        also=("sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob", *_TAGS),
        sync_rule="StepFunctionsGetEventsForSageMakerTrainingJobsRule",
    ),
    "sagemaker:createProcessingJob": TaskActions(
        "sagemaker:CreateProcessingJob",
        also=("sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob", *_TAGS),
        sync_rule="StepFunctionsGetEventsForSageMakerProcessingJobsRule",
    ),
    "sagemaker:createTransformJob": TaskActions(
        "sagemaker:CreateTransformJob",
        also=("sagemaker:DescribeTransformJob", "sagemaker:StopTransformJob", *_TAGS),
        sync_rule="StepFunctionsGetEventsForSageMakerTransformJobsRule",
    ),
    "sagemaker:createModel": TaskActions("sagemaker:CreateModel"),
    "sagemaker:createEndpointConfig": TaskActions("sagemaker:CreateEndpointConfig"),
    "sagemaker:createEndpoint": TaskActions("sagemaker:CreateEndpoint"),
    "sagemaker:updateEndpoint": TaskActions("sagemaker:UpdateEndpoint"),
}
"""By the integration that a task's `Resource` names after `arn:aws:states:::`, without `.sync`."""

SDK_SERVICES = {
    "cloudwatchlogs": "logs",
    "sfn": "states",
    "eventbridge": "events",
    "cloudwatchevents": "events",
    "elasticloadbalancingv2": "elasticloadbalancing",
    "sesv2": "ses",
    "efs": "elasticfilesystem",
    "costexplorer": "ce",
}
"""Names of `arn:aws:states:::aws-sdk:NAME:operation` that are not the prefix of IAM's actions."""

SDK_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
}
"""Operations that IAM calls otherwise."""

SDK_UNMAPPED = frozenset({"s3:CopyObject", "s3:GetBucketLifecycleConfiguration", "s3:PutBucketLifecycleConfiguration"})
"""Operations that need several actions, or one of another name: nothing is said about them."""

TARGETS = {
    "AWS::StepFunctions::StateMachine": "states:StartExecution",
    "AWS::Batch::JobQueue": "batch:SubmitJob",
    "AWS::ECS::Cluster": "ecs:RunTask",
    "AWS::CodeBuild::Project": "codebuild:StartBuild",
    "AWS::CodePipeline::Pipeline": "codepipeline:StartPipelineExecution",
    "AWS::Kinesis::Stream": "kinesis:PutRecord",
    "AWS::KinesisFirehose::DeliveryStream": "firehose:PutRecord",
    "AWS::Events::EventBus": "events:PutEvents",
    "AWS::SageMaker::Pipeline": "sagemaker:StartPipelineExecution",
}
"""What EventBridge does as a target's role, by the type of the target."""
