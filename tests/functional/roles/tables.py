"""What each role of the platform can do and what it cannot, as calls made with its credentials.

Names in braces are those of the environment: `{datasets}` its dataset bucket, and with `other_` in front those of
another environment in the same account and region. `docs/reference/roles.md` has the statements behind these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.functional.roles.calls import Call, can, cannot, would, would_not

NOBODY = "nobody in the platform needs it"
NEVER: tuple[Call, ...] = (
    cannot("iam:CreateUser", "no way to more rights", UserName="intruder"),
    cannot("iam:PutRolePolicy", "no way to more rights", RoleName="{training_role_name}", PolicyName="p",
           PolicyDocument='{"Version":"2012-10-17","Statement":[]}'),
    cannot("iam:GetRole", NOBODY, RoleName="{training_role_name}"),
    cannot("sts:AssumeRole", "roles are for services", RoleArn="{training_role}", RoleSessionName="intruder"),
    cannot("sts:AssumeRole", "nor those of another environment", RoleArn="{other_training_role}",
           RoleSessionName="intruder"),
    cannot("s3:ListAllMyBuckets", NOBODY),
    cannot("s3:GetObject", "another environment's data", Bucket="{other_datasets}", Key="datasets/x"),
    cannot("s3:PutObject", "another environment's data", Bucket="{other_models}", Key="output/x", Body=b"1"),
    cannot("s3:ListBucket", "another environment's data", Bucket="{other_models}", Prefix="output/"),
    cannot("kms:Decrypt", "another environment's key", CiphertextBlob="{other_ciphertext}", KeyId="{other_key}"),
    cannot("kms:ScheduleKeyDeletion", "keys are the stack's", KeyId="{key}", PendingWindowInDays=7),
    cannot("s3:DeleteObject", "data is deleted by nobody", Bucket="{models}", Key="output/x"),
    cannot("s3:DeleteBucket", "buckets are the stack's", Bucket="{models}"),
    cannot("s3:PutBucketPolicy", "buckets are the stack's", Bucket="{models}", Policy="{}"),
    cannot("logs:DeleteLogGroup", "logs are kept", logGroupName="/aws/sagemaker/TrainingJobs"),
    cannot("cloudformation:DeleteStack", "stacks are the deployer's", StackName="trainworks-{suffix}"),
    cannot("batch:SubmitJob", "another environment's queue", jobName="x", jobQueue="{other_queue}",
           jobDefinition="{other_job_definition}"),
    cannot("sagemaker:StopTrainingJob", "another environment's job", TrainingJobName="{other_suffix}-job"),
    cannot("ecr:DeleteRepository", "images are the stack's", repositoryName="{repository}"),
    would_not("ec2:RunInstances", NOBODY, "arn:aws:ec2:us-east-1:000000000000:instance/*"),
)  # fmt: skip
"""Denied to every role."""

INTERFACES: tuple[Call, ...] = (
    can("ec2:DescribeNetworkInterfaces", "its interface in the VPC"),
    can("ec2:DescribeSubnets", "its interface in the VPC"),
    can("ec2:DescribeSecurityGroups", "its interface in the VPC"),
    can("ec2:DescribeVpcs", "its interface in the VPC"),
    can("ec2:DescribeDhcpOptions", "its interface in the VPC"),
    can("ec2:DeleteNetworkInterface", "its interface in the VPC", "InvalidNetworkInterfaceID.NotFound",
        NetworkInterfaceId="eni-00000000000000000"),
    cannot("ec2:CreateNetworkInterface", "a subnet of another environment", SubnetId="{other_subnet}",
           Groups=["{security_group}"]),
    cannot("ec2:CreateNetworkInterface", "a security group of another environment", SubnetId="{subnet}",
           Groups=["{other_security_group}"]),
    cannot("ec2:DescribeInstances", NOBODY),
    cannot("ec2:AuthorizeSecurityGroupIngress", "rules are the stack's", GroupId="{security_group}",
           IpProtocol="-1", CidrIp="0.0.0.0/0"),
)  # fmt: skip

ALGORITHM = {
    "AlgorithmSpecification": {
        "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["true"],
    },
    "OutputDataConfig": {"S3OutputPath": "s3://{models}/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
IN_VPC = {"VpcConfig": {"Subnets": ["{subnet}"], "SecurityGroupIds": ["{security_group}"]}}


def training_job(name: str, role: str = "{training_role}", **more: Any) -> Mapping[str, Any]:
    return {**ALGORITHM, "TrainingJobName": name, "RoleArn": role, **more}


TRAINING = (
    can("s3:GetObject", "the datasets", Bucket="{datasets}", Key="datasets/x"),
    can("s3:ListBucket", "the datasets", Bucket="{datasets}", Prefix="datasets/"),
    cannot("s3:GetObject", "what else is in the bucket", Bucket="{datasets}", Key="notebook-idle/stop"),
    cannot("s3:PutObject", "datasets are read", Bucket="{datasets}", Key="datasets/x", Body=b"1"),
    cannot("s3:ListBucket", "without its prefix", Bucket="{datasets}"),
    cannot("s3:ListBucket", "without its prefix", Bucket="{models}", Prefix="predictions/"),
    can("s3:PutObject", "its model", Bucket="{models}", Key="output/x", Body=b"1"),
    can("s3:GetObject", "a model to go on from", Bucket="{models}", Key="output/x"),
    can("s3:PutObject", "its checkpoints", Bucket="{models}", Key="checkpoints/job/1", Body=b"1"),
    can("s3:GetObject", "its checkpoints", Bucket="{models}", Key="checkpoints/job/1"),
    can("s3:ListBucket", "its checkpoints", Bucket="{models}", Prefix="checkpoints/job/"),
    can("s3:AbortMultipartUpload", "a broken upload", "NoSuchUpload", Bucket="{models}", Key="output/x",
        UploadId="none"),
    can("s3:GetObject", "its code", Bucket="{models}", Key="code/x"),
    cannot("s3:PutObject", "code is read", Bucket="{models}", Key="code/x", Body=b"1"),
    cannot("s3:GetObject", "predictions are not its business", Bucket="{models}", Key="predictions/x"),
    cannot("s3:GetObject", "access logs", Bucket="{access_logs}", Key="x"),
    can("kms:GenerateDataKey", "encrypted objects", KeyId="{key}", KeySpec="AES_256"),
    can("kms:Decrypt", "encrypted objects", CiphertextBlob="{ciphertext}", KeyId="{key}"),
    can("kms:DescribeKey", "encrypted objects", KeyId="{key}"),
    cannot("kms:CreateGrant", "grants are for AWS's resources", KeyId="{key}", Operations=["Decrypt"],
           GranteePrincipal="{training_role}"),
    cannot("kms:Encrypt", "data keys only", KeyId="{key}", Plaintext=b"1"),
    can("logs:CreateLogGroup", "SageMaker's log group", "ResourceAlreadyExistsException",
        logGroupName="/aws/sagemaker/TrainingJobs"),
    can("logs:CreateLogStream", "its log", logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="{unique}"),
    can("logs:PutLogEvents", "its log", logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="{unique}",
        logEvents=[{"timestamp": 1_800_000_000_000, "message": "m"}]),
    can("logs:DescribeLogStreams", "its log", logGroupName="/aws/sagemaker/TrainingJobs"),
    cannot("logs:GetLogEvents", "others' logs", logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="{unique}"),
    cannot("logs:CreateLogGroup", "another log group", logGroupName="/mine"),
    cannot("logs:PutLogEvents", "Batch's log group", logGroupName="{batch_logs}", logStreamName="s", logEvents=[
        {"timestamp": 1_800_000_000_000, "message": "m"}]),
    can("cloudwatch:PutMetricData", "its metrics", Namespace="/aws/sagemaker/TrainingJobs",
        MetricData=[{"MetricName": "m", "Value": 1.0}]),
    cannot("cloudwatch:PutMetricData", "another namespace", Namespace="Mine",
           MetricData=[{"MetricName": "m", "Value": 1.0}]),
    can("ecr:GetAuthorizationToken", "its image"),
    can("ecr:BatchGetImage", "its image", repositoryName="{repository}", imageIds=[{"imageTag": "v1"}]),
    cannot("ecr:BatchGetImage", "another environment's image", repositoryName="{other_repository}",
           imageIds=[{"imageTag": "v1"}]),
    cannot("ecr:InitiateLayerUpload", "images are pushed by others", repositoryName="{repository}"),
    cannot("sagemaker:CreateTrainingJob", "a job starts no jobs", **training_job("{suffix}-{unique}", **IN_VPC)),
    cannot("sagemaker:DescribeTrainingJob", NOBODY, TrainingJobName="{suffix}-job"),
    cannot("sagemaker:StopTrainingJob", "nor stops it any", TrainingJobName="{suffix}-job"),
    can("ec2:CreateNetworkInterface", "its interface in the VPC", SubnetId="{subnet}", Groups=["{security_group}"]),
    *INTERFACES,
)  # fmt: skip

NOTEBOOK = (
    can("sagemaker:CreateTrainingJob", "what it is for", **training_job("{suffix}-{unique}", **IN_VPC)),
    can("sagemaker:AddTags", "its jobs", ResourceArn="{job_arn}-{unique}", Tags=[{"Key": "k", "Value": "v"}]),
    can("sagemaker:DescribeTrainingJob", "its jobs", TrainingJobName="{suffix}-{unique}"),
    can("sagemaker:StopTrainingJob", "its jobs", "ValidationException", TrainingJobName="{suffix}-none"),
    cannot("sagemaker:CreateTrainingJob", "outside of the VPC", **training_job("{suffix}-out")),
    cannot("sagemaker:CreateTrainingJob", "with another environment's name",
           **training_job("{other_suffix}-x", **IN_VPC)),
    cannot("sagemaker:CreateTrainingJob", "with another environment's role", refused="iam:PassRole",
           **training_job("{suffix}-p", "{other_training_role}", **IN_VPC)),
    cannot("sagemaker:CreateTrainingJob", "with its own role", refused="iam:PassRole",
           **training_job("{suffix}-p", "{notebook_role}", **IN_VPC)),
    cannot("sagemaker:DescribeTrainingJob", "another environment's job", TrainingJobName="{other_suffix}-job"),
    cannot("sagemaker:ListTrainingJobs", "of all environments"),
    cannot("sagemaker:StopNotebookInstance", "the state machine stops it", NotebookInstanceName="{notebook}"),
    would_not("sagemaker:CreatePresignedNotebookInstanceUrl", "doors are for people", "{notebook_arn}"),
    cannot("batch:RegisterJobDefinition", "no other role may be passed", jobDefinitionName="x", type="container",
           containerProperties={"image": "i", "vcpus": 1, "memory": 128}),
    can("s3:PutObject", "its datasets", Bucket="{datasets}", Key="datasets/x", Body=b"1"),
    can("s3:GetObject", "its datasets", Bucket="{datasets}", Key="datasets/x"),
    can("s3:PutObject", "the signal that it is idle", Bucket="{datasets}", Key="notebook-idle/none", Body=b""),
    cannot("s3:GetObject", "the signal is written only", Bucket="{datasets}", Key="notebook-idle/none"),
    cannot("s3:PutObject", "elsewhere in the bucket", Bucket="{datasets}", Key="x", Body=b"1"),
    can("s3:PutObject", "code of its jobs", Bucket="{models}", Key="code/x", Body=b"1"),
    can("s3:GetObject", "models", Bucket="{models}", Key="output/x"),
    can("s3:GetObject", "predictions", "NoSuchKey", Bucket="{models}", Key="predictions/none"),
    cannot("s3:PutObject", "models are written by jobs", Bucket="{models}", Key="output/x", Body=b"1"),
    cannot("s3:PutObject", "checkpoints are written by jobs", Bucket="{models}", Key="checkpoints/x", Body=b"1"),
    can("ecr:InitiateLayerUpload", "images of its jobs", repositoryName="{repository}"),
    cannot("ecr:InitiateLayerUpload", "another environment's images", repositoryName="{other_repository}"),
    can("logs:CreateLogGroup", "its log", "ResourceAlreadyExistsException",
        logGroupName="/aws/sagemaker/NotebookInstances"),
    can("logs:GetLogEvents", "its jobs' logs", "ResourceNotFoundException",
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="none"),
    cannot("logs:PutLogEvents", "its jobs' logs are theirs", logGroupName="/aws/sagemaker/TrainingJobs",
           logStreamName="s", logEvents=[{"timestamp": 1_800_000_000_000, "message": "m"}]),
    can("kms:GenerateDataKey", "encrypted objects", KeyId="{key}", KeySpec="AES_256"),
    cannot("kms:CreateGrant", "grants are for AWS's resources", KeyId="{key}", Operations=["Decrypt"],
           GranteePrincipal="{training_role}"),
    *INTERFACES,
)  # fmt: skip

JOB = (
    can("s3:GetObject", "the datasets", Bucket="{datasets}", Key="datasets/x"),
    can("s3:ListBucket", "the datasets", Bucket="{datasets}", Prefix="datasets/"),
    can("s3:GetObject", "the model", Bucket="{models}", Key="output/x"),
    can("s3:GetObject", "its code", Bucket="{models}", Key="code/x"),
    can("s3:PutObject", "its predictions", Bucket="{models}", Key="predictions/x", Body=b"1"),
    can("kms:Decrypt", "encrypted objects", CiphertextBlob="{ciphertext}", KeyId="{key}"),
    cannot("s3:PutObject", "models are written by training jobs", Bucket="{models}", Key="output/x", Body=b"1"),
    cannot("s3:GetObject", "checkpoints are not its business", Bucket="{models}", Key="checkpoints/x"),
    cannot("s3:PutObject", "datasets are read", Bucket="{datasets}", Key="datasets/x", Body=b"1"),
    cannot("s3:ListBucket", "without its prefix", Bucket="{models}"),
    cannot("kms:CreateGrant", "it has no volume", KeyId="{key}", Operations=["Decrypt"],
           GranteePrincipal="{training_role}"),
    cannot("ecr:GetAuthorizationToken", "the execution role pulls"),
    cannot("logs:CreateLogStream", "the execution role and the host write", logGroupName="{batch_logs}",
           logStreamName="x"),
    cannot("batch:SubmitJob", "a job starts no jobs", jobName="x", jobQueue="{queue}",
           jobDefinition="{job_definition}"),
    cannot("batch:TerminateJob", "nor ends it any", jobId="x", reason="r"),
    cannot("cloudwatch:PutMetricData", NOBODY, Namespace="N", MetricData=[{"MetricName": "m", "Value": 1.0}]),
)  # fmt: skip

JOB_EXECUTION = (
    can("ecr:GetAuthorizationToken", "the image"),
    can("ecr:BatchGetImage", "the image", repositoryName="{repository}", imageIds=[{"imageTag": "v1"}]),
    can("ecr:BatchCheckLayerAvailability", "the image", repositoryName="{repository}",
        layerDigests=["sha256:" + "0" * 64]),
    cannot("ecr:BatchGetImage", "another environment's image", repositoryName="{other_repository}",
           imageIds=[{"imageTag": "v1"}]),
    cannot("ecr:PutImage", "images are pushed by others", repositoryName="{repository}", imageManifest="{}"),
    can("logs:CreateLogStream", "the log", logGroupName="{batch_logs}", logStreamName="{unique}"),
    can("logs:PutLogEvents", "the log", logGroupName="{batch_logs}", logStreamName="{unique}",
        logEvents=[{"timestamp": 1_800_000_000_000, "message": "m"}]),
    cannot("logs:CreateLogStream", "another log group", logGroupName="/aws/sagemaker/TrainingJobs",
           logStreamName="{unique}x"),
    cannot("logs:CreateLogStream", "another environment's log", logGroupName="{other_batch_logs}",
           logStreamName="{unique}"),
    cannot("s3:GetObject", "data is the job's", Bucket="{datasets}", Key="datasets/x"),
    cannot("kms:Decrypt", "data is the job's", CiphertextBlob="{ciphertext}", KeyId="{key}"),
)  # fmt: skip

ECS = "arn:aws:ecs:us-east-1:000000000000"

INSTANCE = (
    would("ecs:DiscoverPollEndpoint", "the agent finds its service", "*"),
    would("ecs:RegisterContainerInstance", "the agent joins its cluster", f"{ECS}:cluster/AWSBatch-x"),
    would("ecs:SubmitTaskStateChange", "the agent reports", f"{ECS}:cluster/AWSBatch-x"),
    would("ecs:Poll", "the agent gets its tasks", f"{ECS}:container-instance/AWSBatch-x/1"),
    would_not("ecs:TagResource", "only while it joins", f"{ECS}:container-instance/AWSBatch-x/1"),
    would_not("ecs:CreateCluster", "clusters are Batch's", f"{ECS}:cluster/mine"),
    would_not("ecs:RunTask", "tasks are Batch's", f"{ECS}:task-definition/x:1"),
    would_not("ecs:ListClusters", NOBODY, "*"),
    can("ec2:DescribeTags", "the agent finds its service"),
    can("logs:CreateLogStream", "containers' logs", logGroupName="{batch_logs}", logStreamName="{unique}-host"),
    cannot("logs:CreateLogStream", "another log group", logGroupName="/aws/sagemaker/TrainingJobs",
           logStreamName="{unique}x"),
    cannot("s3:GetObject", "data is the job's", Bucket="{datasets}", Key="datasets/x"),
    cannot("kms:Decrypt", "data is the job's", CiphertextBlob="{ciphertext}", KeyId="{key}"),
    cannot("ecr:BatchGetImage", "images are the execution role's", repositoryName="{repository}",
           imageIds=[{"imageTag": "v1"}]),
)  # fmt: skip

FLOW_LOG = (
    can("logs:CreateLogStream", "the VPC's flow log", logGroupName="{flow_logs}", logStreamName="{unique}"),
    can("logs:PutLogEvents", "the VPC's flow log", logGroupName="{flow_logs}", logStreamName="{unique}",
        logEvents=[{"timestamp": 1_800_000_000_000, "message": "m"}]),
    can("logs:DescribeLogStreams", "the VPC's flow log", logGroupName="{flow_logs}"),
    can("logs:DescribeLogGroups", "the VPC's flow log"),
    cannot("logs:CreateLogStream", "another log group", logGroupName="{batch_logs}", logStreamName="{unique}"),
    cannot("logs:GetLogEvents", "it writes", logGroupName="{flow_logs}", logStreamName="{unique}"),
)  # fmt: skip

IDLE_STOP = (
    can("sagemaker:StopNotebookInstance", "its notebook", NotebookInstanceName="{notebook}"),
    cannot("sagemaker:StopNotebookInstance", "another environment's", NotebookInstanceName="{other_notebook}"),
    cannot("sagemaker:StartNotebookInstance", "it stops", NotebookInstanceName="{notebook}"),
    cannot("sagemaker:DescribeNotebookInstance", "it stops", NotebookInstanceName="{notebook}"),
    cannot("s3:GetObject", NOBODY, Bucket="{datasets}", Key="datasets/x"),
)  # fmt: skip

LOG_RETENTION = (
    can("logs:DescribeLogGroups", "what is set now"),
    can("logs:PutRetentionPolicy", "the shared group", logGroupName="/aws/sagemaker/TrainingJobs", retentionInDays=30),
    cannot("logs:PutRetentionPolicy", "another group", logGroupName="{batch_logs}", retentionInDays=1),
    cannot("logs:DeleteRetentionPolicy", "it sets", logGroupName="/aws/sagemaker/TrainingJobs"),
)  # fmt: skip

DEFAULT_GROUP = (
    can("ec2:DescribeSecurityGroupRules", "the rules that there are"),
    can("ec2:RevokeSecurityGroupIngress", "the VPC's default group", GroupId="{default_security_group}",
        IpPermissions=[]),
    cannot("ec2:RevokeSecurityGroupIngress", "another group", GroupId="{security_group}", IpPermissions=[]),
    cannot("ec2:RevokeSecurityGroupEgress", "another environment's group", GroupId="{other_security_group}",
           IpPermissions=[]),
    cannot("ec2:AuthorizeSecurityGroupIngress", "it takes rules away", GroupId="{default_security_group}",
           IpProtocol="-1", CidrIp="0.0.0.0/0"),
    cannot("ec2:DescribeSecurityGroups", "it looks at rules"),
)  # fmt: skip

TABLES: Mapping[str, tuple[Call, ...]] = {
    "TrainingRole": TRAINING,
    "NotebookRole": NOTEBOOK,
    "JobRole": JOB,
    "JobExecutionRole": JOB_EXECUTION,
    "InstanceRole": INSTANCE,
    "FlowLogRole": FLOW_LOG,
    "NotebookIdleStopRole": IDLE_STOP,
    "TrainingLogRetentionRole": LOG_RETENTION,
    "DefaultSecurityGroupRole": DEFAULT_GROUP,
}
"""By logical id without its hash. State machine starters have a table of their own: `STARTERS`."""

STARTERS: Mapping[str, str] = {
    "NotebookIdleStopStarterRole": "NotebookIdleStop",
    "TrainingLogRetentionStarterRole": "TrainingLogRetention",
    "DefaultSecurityGroupStarterRole": "DefaultSecurityGroup",
}
"""Role of a rule's target: the one state machine that it may start."""
