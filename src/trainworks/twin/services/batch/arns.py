"""Names and ARNs of Batch's resources, and the ids of the tasks that its jobs become.

A task id is `batch.<job uuid>.<attempt>`, of an array child `batch.<parent uuid>.<index>.<attempt>`: the job is known
from the events of its task without a look-up.
"""

from __future__ import annotations

import hashlib
import re

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.ports import ApiError, Caller

TASK_PREFIX = "batch."

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def scope_of(caller: Caller) -> str:
    """What the ARNs of a caller's account and region begin with."""
    return f"arn:aws:batch:{caller.region}:{caller.account_id}"


def arn_of(caller: Caller, resource_type: str, name_or_arn: str) -> str:
    """The ARN of a resource that a request names by name or by ARN."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    return f"{scope_of(caller)}:{resource_type}/{name_or_arn}"


def name_of(arn: str) -> str:
    """The last part of an ARN; a plain name stays as it is."""
    return arn.rpartition("/")[2]


def region_of(arn: str) -> str:
    return parts_of_arn(arn).region


def account_of(arn: str) -> str:
    return parts_of_arn(arn).account


def job_arn(queue_arn: str, job_id: str) -> str:
    """A job lives in the account and region of its queue."""
    return f"arn:aws:batch:{region_of(queue_arn)}:{account_of(queue_arn)}:job/{job_id}"


def check_name(member: str, value: str) -> str:
    """`value`, or `ClientException` where it breaks the rule for names of Batch resources."""
    if not _NAME.fullmatch(value):
        raise ApiError(
            "ClientException",
            f"{member} should match valid pattern: the value '{value}' can be up to 128 letters (uppercase and "
            "lowercase), numbers, hyphens, and underscores, and starts with a letter or number",
        )
    return value


def task_id(job_id: str, attempt: int) -> str:
    return f"{TASK_PREFIX}{job_id.replace(':', '.')}.{attempt}"


def job_of_task(task: str) -> tuple[str, int]:
    """The job id and attempt that a task id stands for."""
    job_id, _, attempt = task.removeprefix(TASK_PREFIX).rpartition(".")
    return job_id.replace(".", ":"), int(attempt)


def ecs_task_id(job_id: str, attempt: int) -> str:
    """The ECS task id of an attempt: 32 hexadecimal digits, the same each time it is asked for."""
    return hashlib.blake2b(f"{job_id}#{attempt}".encode(), digest_size=16).hexdigest()


def cluster_arn(environment_arn: str) -> str:
    """The ECS cluster that Batch would make for a compute environment."""
    suffix = hashlib.sha256(environment_arn.encode()).hexdigest()
    uuid = f"{suffix[:8]}-{suffix[8:12]}-{suffix[12:16]}-{suffix[16:20]}-{suffix[20:32]}"
    prefix = f"arn:aws:ecs:{region_of(environment_arn)}:{account_of(environment_arn)}"
    return f"{prefix}:cluster/AWSBatch-{name_of(environment_arn)}-{uuid}"


def ecs_task_arn(environment_arn: str, job_id: str, attempt: int) -> str:
    """The ECS task that an attempt would be."""
    cluster = name_of(cluster_arn(environment_arn))
    prefix = f"arn:aws:ecs:{region_of(environment_arn)}:{account_of(environment_arn)}"
    return f"{prefix}:task/{cluster}/{ecs_task_id(job_id, attempt)}"
