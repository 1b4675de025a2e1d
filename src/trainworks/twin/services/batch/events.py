"""What Batch says on the event bus, and EC2 of the hosts of compute environments.

Source: "Batch job state change events", "Job queue blocked events" in the AWS Batch user guide; "Spot Instance
interruption notices" in the EC2 user guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainworks.states.batch_job import JobStatus
from trainworks.twin.services.batch.arns import job_arn
from trainworks.twin.services.batch.records import Job
from trainworks.twin.services.outbox import Event

STATE_CHANGE = ("aws.batch", "Batch Job State Change")
QUEUE_BLOCKED = ("aws.batch", "Batch Job Queue Blocked")
"""Source and detail type, as rules name them."""


def state_change(job: Job, detail: Mapping[str, Any]) -> Event:
    """`detail` is the `JobDetail`."""
    return Event(*STATE_CHANGE, detail, (job_arn(job.queue_arn, job.job_id),))


def queue_blocked(job: Job, detail: Mapping[str, Any]) -> Event:
    """`job` is the first of those that fit nowhere."""
    return Event(*QUEUE_BLOCKED, detail, (job_arn(job.queue_arn, job.job_id), job.queue_arn))


def wanted_statuses(patterns: Sequence[Mapping[str, Any]]) -> frozenset[JobStatus]:
    """The statuses that event patterns can match; all of them where a pattern does not name statuses plainly."""
    wanted: set[JobStatus] = set()
    for pattern in patterns:
        statuses = pattern.get("detail", {}).get("status")
        if not isinstance(statuses, list) or not all(isinstance(status, str) for status in statuses):
            return frozenset(JobStatus)
        wanted |= {status for status in JobStatus if status in statuses}
    return frozenset(wanted)


def interruption_warning(instance_id: str, region: str) -> Event:
    """The event of a spot interruption, two minutes or the notice before the instance ends.

    It names the instance, and neither tags nor the one who launched it; the ARN has the zone in the region's place and
    no account.
    """
    detail = {"instance-id": instance_id, "instance-action": "terminate"}
    arn = f"arn:aws:ec2:{region}a:instance/{instance_id}"
    return Event("aws.ec2", "EC2 Spot Instance Interruption Warning", detail, (arn,))
