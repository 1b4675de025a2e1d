"""Ask SageMaker, and what stands behind it, about one training job. Asks only what can matter in the job's state."""

from __future__ import annotations

from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.object_keys import split_uri
from trainworks.aws.role_actions import KEY_USE, PULL, SAGEMAKER_INTERFACE
from trainworks.doctor.images import look_at_image
from trainworks.doctor.logs import look_at_log
from trainworks.doctor.looking import Look, Looker
from trainworks.doctor.network import look_at_network
from trainworks.doctor.quotas import look_at_training_quota
from trainworks.doctor.roles import PermissionQuestion, RoleFacts, look_at_role
from trainworks.doctor.training.facts import LOG_GROUP, TrainingFacts, TrainingJob, Transition

_MISSING = ("Requested resource not found", "ValidationException: 1 validation", "RecordNotFound")


def find_training_job(looker: Looker, name: str) -> Look[TrainingJob]:
    """The job of this name; absent if there is none, also where the name could not be one."""
    return looker.ask(
        "sagemaker:DescribeTrainingJob",
        lambda sagemaker: _job(sagemaker.describe_training_job(TrainingJobName=name)),
        absent=("ValidationException", *_MISSING),
        subject=name,
    )


def look_at_training_job(looker: Looker, name: str) -> TrainingFacts:
    """All facts about the job."""
    job = find_training_job(looker, name)
    described = job.value
    if described is None:
        return TrainingFacts(looker.now(), job)
    failed = described.status == "Failed"
    starts = described.secondary_status in ("Starting", "Pending", "Downloading", "Restarting", "Interrupted")
    suspect = failed or starts
    account = parts_of_arn(described.arn).account
    needs_role = suspect or bool(described.checkpoint_s3_uri and not described.is_over)
    return TrainingFacts(
        looked_at=looker.now(),
        job=job,
        role=_role(looker, described) if needs_role else None,
        image=look_at_image(looker, described.image, account) if suspect else None,
        network=look_at_network(looker, described.subnets, described.security_group_ids)
        if suspect and described.subnets
        else None,
        checkpoints=_checkpoints(looker, described.checkpoint_s3_uri) if described.checkpoint_s3_uri else None,
        log=look_at_log(looker, LOG_GROUP, f"{name}/") if failed or described.training_seconds else None,
        quota=look_at_training_quota(looker, described.instance_type, spot=described.is_spot) if suspect else None,
    )


def _role(looker: Looker, job: TrainingJob) -> RoleFacts:
    return look_at_role(looker, job.role_arn, tuple(_questions(job)), parts_of_arn(job.arn).region)


def _questions(job: TrainingJob) -> list[PermissionQuestion]:
    """What the role has to be able to do for this very request."""
    questions: list[PermissionQuestion] = []
    s3 = f"arn:{parts_of_arn(job.arn).partition}:s3:::"
    if job.checkpoint_s3_uri:
        bucket, prefix = split_uri(job.checkpoint_s3_uri)
        objects = f"{s3}{bucket}/{prefix.rstrip('/')}/state"
        questions += [
            PermissionQuestion("s3:PutObject", objects, "save its checkpoints"),
            PermissionQuestion("s3:GetObject", objects, "read its checkpoints when it starts again"),
            PermissionQuestion("s3:ListBucket", f"{s3}{bucket}", "find its checkpoints when it starts again"),
        ]
    if job.output_s3_uri:
        bucket, prefix = split_uri(job.output_s3_uri)
        key = f"{prefix.rstrip('/')}/{job.name}/output/model.tar.gz".lstrip("/")
        questions.append(PermissionQuestion("s3:PutObject", f"{s3}{bucket}/{key}", "write its model"))
    for uri in job.input_s3_uris:
        bucket, prefix = split_uri(uri)
        shown = prefix if prefix and not prefix.endswith("/") else f"{prefix}data"
        questions.append(PermissionQuestion("s3:GetObject", f"{s3}{bucket}/{shown}", "read its input"))
    image = parse_ecr_uri(job.image)
    if image is not None:
        questions += [PermissionQuestion(action, image.repository_arn, "pull its image") for action in PULL]
    if job.subnets:
        questions += [PermissionQuestion(action, "*", "join its VPC") for action in SAGEMAKER_INTERFACE]
    if job.kms_key_id.startswith("arn:"):
        questions += [PermissionQuestion(action, job.kms_key_id, "use the key of its output") for action in KEY_USE]
    return list(dict.fromkeys(questions))


def _checkpoints(looker: Looker, uri: str) -> Look[int]:
    bucket, prefix = split_uri(uri)
    return looker.ask(
        "s3:ListObjectsV2",
        lambda s3: int(s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"]),
        absent=("NoSuchBucket",),
        subject=uri,
    )


def _job(body: Any) -> TrainingJob:
    resources, stopping = body.get("ResourceConfig", {}), body.get("StoppingCondition", {})
    output, network = body.get("OutputDataConfig", {}), body.get("VpcConfig", {})
    sources = [channel.get("DataSource", {}).get("S3DataSource", {}) for channel in body.get("InputDataConfig", [])]
    return TrainingJob(
        name=body["TrainingJobName"],
        arn=body["TrainingJobArn"],
        status=body["TrainingJobStatus"],
        secondary_status=body["SecondaryStatus"],
        failure_reason=body.get("FailureReason", ""),
        transitions=tuple(map(_transition, body.get("SecondaryStatusTransitions", []))),
        role_arn=body.get("RoleArn", ""),
        image=body.get("AlgorithmSpecification", {}).get("TrainingImage", ""),
        instance_type=resources.get("InstanceType", ""),
        instance_count=resources.get("InstanceCount", 1),
        volume_size_in_gb=resources.get("VolumeSizeInGB", 0),
        is_spot=bool(body.get("EnableManagedSpotTraining")),
        max_runtime_seconds=stopping.get("MaxRuntimeInSeconds", 86_400),
        max_wait_seconds=stopping.get("MaxWaitTimeInSeconds"),
        checkpoint_s3_uri=body.get("CheckpointConfig", {}).get("S3Uri", ""),
        output_s3_uri=output.get("S3OutputPath", ""),
        input_s3_uris=tuple(each["S3Uri"] for each in sources if "S3Uri" in each),
        kms_key_id=output.get("KmsKeyId", ""),
        subnets=tuple(network.get("Subnets", [])),
        security_group_ids=tuple(network.get("SecurityGroupIds", [])),
        created_at=body.get("CreationTime"),
        training_seconds=body.get("TrainingTimeInSeconds"),
        billable_seconds=body.get("BillableTimeInSeconds"),
    )


def _transition(body: Any) -> Transition:
    return Transition(body["Status"], body["StartTime"], body.get("EndTime"), body.get("StatusMessage", ""))
