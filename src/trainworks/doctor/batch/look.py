"""Ask Batch, and what stands behind it, about one job. Asks only what can matter in the job's state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.instance_types import UnknownInstanceTypeError, expand_instance_types
from trainworks.aws.role_actions import PULL, ROLE_NEEDS, When, Workload
from trainworks.doctor.batch.facts import (
    FARGATE_TYPES,
    SPOT_TYPES,
    Attempt,
    BatchFacts,
    BatchJob,
    ComputeEnvironment,
    HostFacts,
    InstanceProfile,
    JobQueue,
    OtherJob,
    TimeLimit,
)
from trainworks.doctor.images import look_at_image
from trainworks.doctor.logs import look_at_log
from trainworks.doctor.looking import Look, Looker, not_asked
from trainworks.doctor.network import look_at_network
from trainworks.doctor.quotas import FARGATE_CODES, Quota, ec2_quota_code, look_at_quota
from trainworks.doctor.roles import PermissionQuestion, RoleFacts, look_at_role

_MOST_JOBS = 500
_DESCRIBED_AT_ONCE = 100
_LOG_GROUP = "/aws/batch/job"


def find_batch_job(looker: Looker, name: str) -> Look[str]:
    """The id of a job by its id (`...`, `...:3`), or of the newest job of that name in any queue."""
    return looker.ask("batch:DescribeJobs", lambda batch: _find(batch, name), subject=name)


def look_at_batch_job(looker: Looker, job_id: str) -> BatchFacts:
    """All facts about the job with this id."""
    job = looker.ask("batch:DescribeJobs", lambda batch: _described(batch, [job_id]), subject=job_id)
    described = job.value
    if described is None:
        return BatchFacts(looker.now(), job, _unasked(looker, "Queue"), _unasked(looker, "Environment"))
    queue = looker.ask(
        "batch:DescribeJobQueues", lambda batch: _queue(batch, described.job_queue), subject=described.job_queue
    )
    names = list(queue.value.compute_environments) if queue.value else []
    environments: Look[tuple[ComputeEnvironment, ...]] = _unasked(looker, "batch:DescribeComputeEnvironments")
    if names:
        environments = looker.ask("batch:DescribeComputeEnvironments", lambda batch: _environments(batch, names))
    waits = described.status == "RUNNABLE" and not described.is_array_parent
    starts = described.status in ("STARTING", "FAILED") and not described.is_array_parent
    usable = tuple(each for each in environments.value or () if each.is_usable)
    first = usable[0] if usable else None
    return BatchFacts(
        looked_at=looker.now(),
        job=job,
        queue=queue,
        environments=environments,
        before_it=looker.ask("batch:ListJobs", lambda batch: _before(batch, described)) if waits else None,
        vcpus_in_use=looker.ask("batch:ListJobs", lambda batch: _vcpus_in_use(batch, described)) if waits else None,
        dependencies=_dependencies(looker, described),
        network=look_at_network(looker, first.subnets, first.security_group_ids)
        if first and (waits or starts)
        else None,
        hosts=tuple(_host(looker, each) for each in usable if waits and each.kind not in FARGATE_TYPES),
        quota=_quota(looker, first) if first and waits else None,
        image=look_at_image(looker, described.image, parts_of_arn(described.job_queue).account)
        if waits or starts
        else None,
        execution_role=_execution_role(looker, described) if starts else None,
        log=look_at_log(looker, described.log_group, described.log_stream) if described.log_stream else None,
        child=_child(looker, described),
    )


def _find(batch: Any, name: str) -> str | None:
    if batch.describe_jobs(jobs=[name])["jobs"]:
        return name
    found: list[tuple[int, str]] = []
    for page in batch.get_paginator("describe_job_queues").paginate():
        for queue in page["jobQueues"]:
            listed = batch.get_paginator("list_jobs").paginate(
                jobQueue=queue["jobQueueArn"], filters=[{"name": "JOB_NAME", "values": [name]}]
            )
            found += [(job["createdAt"], job["jobId"]) for each in listed for job in each["jobSummaryList"]]
    return max(found)[1] if found else None


def _described(batch: Any, job_ids: Sequence[str]) -> BatchJob | None:
    jobs = batch.describe_jobs(jobs=list(job_ids))["jobs"]
    return _job(jobs[0]) if jobs else None


def _job(body: Any) -> BatchJob:
    container = body.get("container", {})
    requirements = {each["type"]: each["value"] for each in container.get("resourceRequirements", [])}
    array = body.get("arrayProperties", {})
    options = container.get("logConfiguration", {}).get("options", {})
    stream = container.get("logStreamName", "")
    return BatchJob(
        job_id=body["jobId"],
        job_name=body["jobName"],
        job_queue=body["jobQueue"],
        status=body["status"],
        status_reason=body.get("statusReason", ""),
        vcpus=float(requirements.get("VCPU", container.get("vcpus", 1))),
        memory_mib=int(requirements.get("MEMORY", container.get("memory", 0))),
        gpus=int(requirements.get("GPU", 0)),
        image=container.get("image", ""),
        created_at=_time(body.get("createdAt")),
        exit_code=container.get("exitCode"),
        reason=container.get("reason", ""),
        log_group=options.get("awslogs-group", _LOG_GROUP),
        log_stream=stream,
        depends_on=tuple(each["jobId"] for each in body.get("dependsOn", []) if "jobId" in each),
        attempts=tuple(map(_attempt, body.get("attempts", []))),
        timeout_seconds=body.get("timeout", {}).get("attemptDurationSeconds"),
        execution_role_arn=container.get("executionRoleArn", ""),
        job_role_arn=container.get("jobRoleArn", ""),
        is_array_parent="statusSummary" in array,
        children=tuple(sorted(array.get("statusSummary", {}).items())),
        ended_by_request=bool(body.get("isCancelled") or body.get("isTerminated")),
        assigns_public_ip=container.get("networkConfiguration", {}).get("assignPublicIp") == "ENABLED",
    )


def _attempt(body: Any) -> Attempt:
    container = body.get("container", {})
    return Attempt(container.get("exitCode"), container.get("reason", ""), body.get("statusReason", ""))


def _queue(batch: Any, name: str) -> JobQueue | None:
    for body in batch.describe_job_queues(jobQueues=[name])["jobQueues"]:
        order = sorted(body.get("computeEnvironmentOrder", []), key=lambda entry: entry["order"])
        return JobQueue(
            body["jobQueueName"],
            body["state"],
            body.get("status", ""),
            body.get("statusReason", ""),
            tuple(entry["computeEnvironment"] for entry in order),
            tuple(
                TimeLimit(each["reason"], each["maxTimeSeconds"], each["action"])
                for each in body.get("jobStateTimeLimitActions", [])
            ),
        )
    return None


def _environments(batch: Any, names: list[str]) -> tuple[ComputeEnvironment, ...]:
    bodies = batch.describe_compute_environments(computeEnvironments=names)["computeEnvironments"]
    bodies.sort(key=lambda body: names.index(body["computeEnvironmentArn"]))
    return tuple(map(_environment, bodies))


def _environment(body: Any) -> ComputeEnvironment:
    resources = body.get("computeResources", {})
    return ComputeEnvironment(
        name=body["computeEnvironmentName"],
        state=body.get("state", ""),
        status=body.get("status", ""),
        status_reason=body.get("statusReason", ""),
        kind=resources.get("type", body.get("type", "")),
        max_vcpus=resources.get("maxvCpus", 0),
        desired_vcpus=resources.get("desiredvCpus", 0),
        instance_types=tuple(resources.get("instanceTypes", [])),
        subnets=tuple(resources.get("subnets", [])),
        security_group_ids=tuple(resources.get("securityGroupIds", [])),
        instance_role=resources.get("instanceRole", ""),
        ecs_cluster_arn=body.get("ecsClusterArn", ""),
    )


def _before(batch: Any, job: BatchJob) -> tuple[OtherJob, ...]:
    """RUNNABLE jobs that came to the queue earlier, the first to be placed first."""
    own_ms = job.created_at.timestamp() * 1000 if job.created_at else 0
    own = job.job_id.partition(":")[0]
    listed = [each for each in _listed(batch, job, "RUNNABLE") if each["createdAt"] < own_ms and each["jobId"] != own]
    return tuple(
        OtherJob(each["jobId"], each["jobName"], each["status"], each.get("statusReason", ""))
        for each in sorted(listed, key=lambda each: each["createdAt"])
    )


def _vcpus_in_use(batch: Any, job: BatchJob) -> float:
    """vCPUs of the queue's jobs that are STARTING or RUNNING (the first 500 of each)."""
    ids = [each["jobId"] for status in ("STARTING", "RUNNING") for each in _listed(batch, job, status)]
    total = 0.0
    for start in range(0, len(ids), _DESCRIBED_AT_ONCE):
        bodies = batch.describe_jobs(jobs=ids[start : start + _DESCRIBED_AT_ONCE])["jobs"]
        total += sum(_job(body).vcpus for body in bodies)
    return total


def _listed(batch: Any, job: BatchJob, status: str) -> list[Any]:
    pages = batch.get_paginator("list_jobs").paginate(
        jobQueue=job.job_queue, jobStatus=status, PaginationConfig={"MaxItems": _MOST_JOBS}
    )
    return [each for page in pages for each in page["jobSummaryList"]]


def _dependencies(looker: Looker, job: BatchJob) -> Look[tuple[OtherJob, ...]] | None:
    if not job.depends_on or job.status not in ("SUBMITTED", "PENDING", "FAILED"):
        return None
    ids = list(job.depends_on)

    def read(batch: Any) -> tuple[OtherJob, ...]:
        return tuple(
            OtherJob(body["jobId"], body["jobName"], body["status"], body.get("statusReason", ""))
            for body in batch.describe_jobs(jobs=ids)["jobs"]
        )

    return looker.ask("batch:DescribeJobs", read, subject=" ".join(ids))


def _host(looker: Looker, environment: ComputeEnvironment) -> HostFacts:
    name = environment.instance_role.rpartition("/")[2]
    profile = looker.ask(
        "iam:GetInstanceProfile", lambda iam: _profile(iam, name), absent=("NoSuchEntity",), subject=name
    )
    role: RoleFacts | None = None
    if profile.value is not None and profile.value.role_arn:
        needs = ROLE_NEEDS[Workload.CONTAINER_HOST]
        agent = [each for need in needs.needs if need.when is When.ALWAYS for each in need.actions]
        questions = [PermissionQuestion(action, "*", "register with ECS and get tasks") for action in agent]
        region = parts_of_arn(environment.ecs_cluster_arn).region
        role = look_at_role(looker, profile.value.role_arn, questions, region)
    return HostFacts(environment.name, profile, role, _registered(looker, environment))


def _profile(iam: Any, name: str) -> InstanceProfile:
    roles = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"].get("Roles", [])
    return InstanceProfile(name, roles[0]["Arn"] if roles else "")


def _registered(looker: Looker, environment: ComputeEnvironment) -> Look[int]:
    """Instances that have registered with the environment's ECS cluster."""
    cluster = environment.ecs_cluster_arn
    if not cluster:
        return not_asked("ecs:ListContainerInstances", looker.now())
    return looker.ask(
        "ecs:ListContainerInstances",
        lambda ecs: len(ecs.list_container_instances(cluster=cluster, status="ACTIVE")["containerInstanceArns"]),
        absent=("ClusterNotFound",),
        subject=cluster.rpartition("/")[2],
    )


def _quota(looker: Looker, environment: ComputeEnvironment) -> Look[Quota] | None:
    spot = environment.kind in SPOT_TYPES
    if environment.kind in FARGATE_TYPES:
        return look_at_quota(looker, "fargate", FARGATE_CODES[spot], "vCPUs")
    try:
        types = expand_instance_types(environment.instance_types)
    except UnknownInstanceTypeError:
        types = environment.instance_types
    code = ec2_quota_code(types, spot=spot)
    return look_at_quota(looker, "ec2", code, "vCPUs") if code else None


def _execution_role(looker: Looker, job: BatchJob) -> RoleFacts | None:
    """What starts the container; hosts do that with their own role where the job names none."""
    if not job.execution_role_arn:
        return None
    questions: list[PermissionQuestion] = []
    image = parse_ecr_uri(job.image)
    if image is not None:
        questions += [PermissionQuestion(action, image.repository_arn, "pull its image") for action in PULL]
        questions.append(PermissionQuestion("ecr:GetAuthorizationToken", "*", "log in to ECR"))
    queue = parts_of_arn(job.job_queue)
    group = f"arn:{queue.partition}:logs:{queue.region}:{queue.account}:log-group:{job.log_group}:*"
    questions += [
        PermissionQuestion(each, group, "write its log") for each in ("logs:CreateLogStream", "logs:PutLogEvents")
    ]
    return look_at_role(looker, job.execution_role_arn, questions, queue.region)


def _child(looker: Looker, job: BatchJob) -> BatchFacts | None:
    """The facts of the child that tells most about an array: a failed one, else one that waits."""
    counts = dict(job.children)
    wanted = ["FAILED"] if job.status == "FAILED" else ["FAILED", "RUNNABLE", "STARTING"]
    status = next((each for each in wanted if counts.get(each)), None)
    if status is None:
        return None
    found = looker.ask("batch:ListJobs", lambda batch: _first_child(batch, job.job_id, status), subject=job.job_id)
    return look_at_batch_job(looker, found.value) if found.value else None


def _first_child(batch: Any, array_job_id: str, status: str) -> str | None:
    listed = batch.list_jobs(arrayJobId=array_job_id, jobStatus=status)["jobSummaryList"]
    return listed[0]["jobId"] if listed else None


def _unasked(looker: Looker, call: str) -> Look[Any]:
    return not_asked(call, looker.now())


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
