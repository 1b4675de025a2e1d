"""Why a job does not start: what its queue, its compute environments and their network say, and who is before it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from trainworks.doctor.batch.facts import BatchFacts, BatchJob, HostFacts
from trainworks.doctor.batch.reach import reach_findings
from trainworks.doctor.batch.sizes import size_findings
from trainworks.doctor.finding import Finding, Likelihood, Outcome
from trainworks.doctor.images import IMAGE_BEING_MADE, being_made, image_findings
from trainworks.doctor.quotas import quota_findings
from trainworks.doctor.roles import role_findings

_PATIENCE_SECONDS = 300

# What statusReason begins with -> (code, what it means, fix). The words are those of "Jobs stuck in a RUNNABLE status",
# AWS Batch User Guide.
_STATUS_REASONS: tuple[tuple[str, str, str, str], ...] = (
    (
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        "job-exceeds-max-vcpus",
        "every compute environment of the queue has a maxvCpus below what the job asks for",
        "ask for fewer vCPUs, or raise max_vcpus of the batch profile and deploy: trainworks up",
    ),
    (
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
        "job-too-large",
        "no instance type of the queue's compute environments has the vCPUs, memory and GPUs that the job asks for",
        "ask for less, or add a larger instance type to instance_types of the batch profile",
    ),
    (
        "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS",
        "service-role-lacks-permission",
        "the service role of the compute environments lacks permissions",
        "use the service-linked role AWSServiceRoleForBatch: remove serviceRole from the compute environment",
    ),
    (
        "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED",
        "instance-configuration-unsupported",
        "the instance types do not match the launch template, or the zones do not offer them",
        "choose instance types that the zones offer: aws ec2 describe-instance-type-offerings",
    ),
    (
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
        "no-capacity",
        "AWS has no instance of these types free in the environment's zones",
        "wait, add instance types or zones, or set on_demand_max_vcpus of the batch profile, so that jobs can run on "
        "on-demand hosts too",
    ),
    (
        "ACTION_REQUIRED",
        "environment-invalid",
        "the compute environments of the queue are invalid",
        "correct what their statusReason names, then deploy: trainworks up",
    ),
)


def waiting_findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    """For RUNNABLE: the service's own reason, then what is seen to be wrong, then who is before it."""
    if job.status_reason.startswith(IMAGE_BEING_MADE):
        yield being_made(job.status_reason, facts.job.evidence(f"statusReason={job.status_reason}"))
        return
    found = [
        *_queue_findings(facts),
        *_environment_findings(facts),
        *size_findings(facts, job),
        *_reason_findings(facts, job),
        *quota_findings(facts.quota, job.vcpus, used_by="the job"),
        *host_findings(facts, job),
        *image_findings(facts.image),
        *_place_findings(facts),
    ]
    yield from found
    yield from _limit_findings(facts, job)
    if not found:
        yield from _unexplained(facts, job)


def pending_findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    """For SUBMITTED and PENDING: the jobs that it depends on."""
    if facts.dependencies is None:
        return
    seen = {each.job_id: each for each in facts.dependencies.value or ()}
    for job_id in job.depends_on if facts.dependencies.value is not None else ():
        other = seen.get(job_id)
        if other is None:
            yield Finding(
                "dependency-gone",
                Outcome.PROBLEM,
                f"the job depends on {job_id}, which Batch does not know (it forgets jobs seven days after their end)",
                (facts.dependencies.evidence("no such job"),),
                f"submit it again without that dependency; stop this one: trainworks stop {job.job_id}",
            )
        elif other.status != "SUCCEEDED":
            failed = other.status == "FAILED"
            yield Finding(
                "dependency-failed" if failed else "dependency-pending",
                Outcome.PROBLEM if failed else Outcome.WARNING,
                f"the job depends on {other.job_name} ({job_id}), which is {other.status}",
                (facts.dependencies.evidence(f"{other.status} {other.status_reason}".strip()),),
                f"see why: trainworks doctor {job_id}",
            )


def _queue_findings(facts: BatchFacts) -> Iterator[Finding]:
    queue = facts.queue.value
    if queue is None:
        if facts.queue.is_absent:
            yield Finding(
                "queue-missing",
                Outcome.PROBLEM,
                "the job's queue does not exist any more",
                (facts.queue.evidence("no such queue"),),
                "deploy the platform again (trainworks up) and submit the job again",
            )
        return
    name = queue.job_queue_name
    if queue.state != "ENABLED":
        yield Finding(
            "queue-disabled",
            Outcome.WARNING,
            f"queue {name} is {queue.state}: it takes no new jobs; those already in it go on",
            (facts.queue.evidence(f"state={queue.state}"),),
            f"aws batch update-job-queue --job-queue {name} --state ENABLED",
        )
    if queue.status == "INVALID":
        yield Finding(
            "queue-invalid",
            Outcome.PROBLEM,
            f"queue {name} is INVALID: {queue.status_reason}",
            (facts.queue.evidence(f"status={queue.status} {queue.status_reason}"),),
            "correct what its statusReason names, then deploy: trainworks up",
        )


def _environment_findings(facts: BatchFacts) -> Iterator[Finding]:
    environments = facts.environments.value or ()
    others_usable = any(each.is_usable for each in environments)
    invalid = [each for each in environments if each.status == "INVALID"]
    disabled = [each for each in environments if each.state != "ENABLED"]
    outcome = Outcome.WARNING if others_usable else Outcome.PROBLEM
    if invalid:
        shown = "; ".join(f"compute environment {each.name} is INVALID: {each.status_reason}" for each in invalid)
        yield Finding(
            "environment-invalid",
            outcome,
            shown,
            tuple(
                facts.environments.evidence(f"{each.name}: status={each.status} {each.status_reason}")
                for each in invalid
            ),
            "correct what its statusReason names, then deploy: trainworks up",
        )
    for each in disabled:
        yield Finding(
            "environment-disabled",
            outcome,
            f"compute environment {each.name} is {each.state}: it takes no jobs",
            (facts.environments.evidence(f"{each.name}: state={each.state}"),),
            f"aws batch update-compute-environment --compute-environment {each.name} --state ENABLED",
        )


def _reason_findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    for prefix, code, what, fix in _STATUS_REASONS:
        if job.status_reason.startswith(prefix):
            yield Finding(code, Outcome.PROBLEM, what, (facts.job.evidence(f"statusReason={job.status_reason}"),), fix)


def host_findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    """Hosts that cannot register, and what hosts or tasks cannot reach."""
    for host in facts.hosts:
        yield from _profile_findings(host)
    yield from reach_findings(facts, job)


def _profile_findings(host: HostFacts) -> Iterator[Finding]:
    profile = host.profile.value
    if host.profile.is_absent or (profile is not None and not profile.role_arn):
        missing = "does not exist" if profile is None else "has no role"
        yield Finding(
            "instance-profile-missing",
            Outcome.PROBLEM,
            f"the instance profile of compute environment {host.environment} {missing}: its instances cannot register",
            (host.profile.evidence("NoSuchEntity" if profile is None else "no role"),),
            "deploy the platform again (trainworks up), or give the environment an instance profile with a role",
            Likelihood.LIKELY,
        )
    if host.role is not None:
        yield from role_findings(host.role, used_by=f"an instance of {host.environment}", service="ec2.amazonaws.com")
    if host.registered.value == 0:
        yield Finding(
            "no-instance-registered",
            Outcome.WARNING,
            f"no instance is registered with the cluster of compute environment {host.environment}",
            (host.registered.evidence("0 container instances"),),
            "if instances do run, they cannot reach ECS, or their role lacks the permissions for it: see the other "
            "causes",
            Likelihood.POSSIBLE,
        )


def _place_findings(facts: BatchFacts) -> Iterator[Finding]:
    if facts.before_it is None or not facts.before_it.value:
        return
    head, count = facts.before_it.value[0], len(facts.before_it.value)
    reason = f" ({head.status_reason})" if head.status_reason else ""
    yield Finding(
        "behind-others",
        Outcome.WARNING,
        f"{count} job{'s are' if count > 1 else ' is'} before it in the queue; the first is {head.job_name}{reason}",
        (facts.before_it.evidence(f"position {count + 1}; first: {head.job_id} {head.status_reason}".strip()),),
        f"see what keeps the first: trainworks doctor {head.job_id}",
        Likelihood.LIKELY if head.status_reason else Likelihood.POSSIBLE,
    )


def _limit_findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    for limit in facts.queue.value.time_limits if facts.queue.value else ():
        if job.status_reason.startswith(limit.reason):
            yield Finding(
                "time-limit-ahead",
                Outcome.WARNING,
                f"its queue will {limit.action.lower()} it when it has been blocked for {limit.max_time_seconds} s",
                (facts.queue.evidence(f"{limit.action} after {limit.max_time_seconds} s of {limit.reason}"),),
                "correct the cause before that, or raise runnable_limit_seconds of the batch profile",
            )


def _unexplained(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    waited = _seconds_since(job.created_at, facts.looked_at)
    if waited < _PATIENCE_SECONDS:
        what, fix = f"nothing is wrong: it has waited for {waited:.0f} s, and an instance takes minutes to start", ""
    else:
        what = f"it has waited for {waited / 60:.0f} min, and nothing that could be looked at is wrong"
        fix = "look at the Auto Scaling group of the compute environment: aws autoscaling describe-scaling-activities"
    outcome = Outcome.OK if waited < _PATIENCE_SECONDS else Outcome.WARNING
    reason = f"statusReason={job.status_reason}" if job.status_reason else "no statusReason"
    yield Finding("waiting", outcome, what, (facts.job.evidence(reason),), fix, Likelihood.POSSIBLE)


def _seconds_since(then: datetime | None, now: datetime) -> float:
    return 0.0 if then is None else (now - then).total_seconds()
