"""SubmitJob: one request becomes one row, or a parent and its children.

Source: `SubmitJob` in the AWS Batch API reference.
"""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Mapping, Sequence
from sqlite3 import Connection, Row
from typing import Any

from trainworks.aws.batch_constraints import overrides_chars, retry_strategy_problems, timeout_problems
from trainworks.states.batch_job import JobStatus
from trainworks.twin.ports import ApiError, ControlPlane
from trainworks.twin.recorded.tags import request_keys
from trainworks.twin.services.batch.arns import arn_of, check_name, job_arn
from trainworks.twin.services.batch.attempts import DEPENDENCY_REASON
from trainworks.twin.services.batch.container import check_container, effective_container, resources_of
from trainworks.twin.services.batch.ledger import Entry, Ledger
from trainworks.twin.services.batch.records import SQL, Job, JobSpec, load_job
from trainworks.twin.services.batch.refusals import refuse
from trainworks.twin.services.batch.resources import definition_row, queue_row
from trainworks.twin.services.batch.tags import authorize_on, put_tags, read_tags
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Operation, executed

ARRAY_SIZES = range(2, 10_000 + 1)
_MAX_DEPENDENCIES = 20


class Submission:
    """SubmitJob."""

    def __init__(self, database: Database, control_plane: ControlPlane, ledger: Ledger) -> None:
        self._database = database
        self._control_plane = control_plane
        self._ledger = ledger

    def operations(self) -> Mapping[str, Operation]:
        return {
            "SubmitJob": executed(
                self.submit_job,
                "shareIdentifier and scheduling priority are recorded; a log stream appears with the first output.",
                refused_members=(
                    "nodeOverrides",
                    "eksPropertiesOverride",
                    "ecsPropertiesOverride",
                    "consumableResourcePropertiesOverride",
                ),
            )
        }

    def submit_job(self, call: Call) -> Mapping[str, Any]:
        params = call.params
        name = check_name("jobName", params["jobName"])
        queue_arn = arn_of(call.caller, "job-queue", params["jobQueue"])
        with self._database.snapshot() as tx:
            definition = definition_row(tx, call.caller, params["jobDefinition"])
            definition_tags = read_tags(tx, definition["arn"])
        given = request_keys(params.get("tags", {}))
        for resource in (definition["arn"], queue_arn):
            authorize_on(self._control_plane, self._database, call, resource, given)
        job_id = str(uuid.uuid4())
        if params.get("tags"):
            self._control_plane.authorize(call.caller, "batch:TagResource", job_arn(queue_arn, job_id), given)
        size = _array_size(params)
        spec = _merged_spec(call, name, definition, definition_tags)

        def insert(entry: Entry) -> None:
            _check_queue(queue_row(entry.tx, queue_arn), spec)
            entry.tx.execute(SQL["spec_insert"], (job_id, spec.to_json()))
            put_tags(entry.tx, job_arn(queue_arn, job_id), params.get("tags", {}))
            _insert(entry, job_id, queue_arn, spec, size)

        self._ledger.together(insert)  # clients that submit many jobs at a time share commits
        return {"jobArn": job_arn(queue_arn, job_id), "jobName": name, "jobId": job_id}


def _insert(entry: Entry, job_id: str, queue_arn: str, spec: JobSpec, size: int | None) -> None:
    """The job's row, or the parent's and its children's; what waits for something that has failed already ends here."""
    plain, pairwise = _upstream(entry.tx, spec.depends_on, size)
    waiting_on = sum(job.status != JobStatus.SUCCEEDED for job in plain)
    base = {
        "spec_id": job_id,
        "queue_arn": queue_arn,
        "status_reason": None,
        "vcpus": spec.vcpus,
        "created_at": entry.now_ms,
        "stopped_at": None,
        "parent_id": None,
        "array_index": None,
        "array_size": size,
        "unfinished": size or 0,
    }
    status = JobStatus.PENDING if waiting_on or size else JobStatus.RUNNABLE
    rows = [{**base, "job_id": job_id, "status": status, "waiting_on": waiting_on}]
    doomed = [job_id] if any(job.status == JobStatus.FAILED for job in plain) else []
    if size:
        counts, failing = _child_waits(entry.tx, pairwise, size, waiting_on, sequential=spec.sequential)
        child = base | {"parent_id": job_id, "array_size": None, "unfinished": 0}
        rows += [
            {
                **child,
                "job_id": f"{job_id}:{index}",
                "array_index": index,
                "waiting_on": count,
                "status": JobStatus.PENDING if count else JobStatus.RUNNABLE,
            }
            for index, count in enumerate(counts)
        ]
        doomed += [f"{job_id}:{index}" for index in failing]
    entry.insert(rows)
    for upstream_id in {job.job_id for job in plain if not job.is_terminal}:
        entry.depend(job_id, upstream_id)
    for upstream_array in pairwise:
        entry.depend(job_id, upstream_array.job_id, n_to_n=True)
    for each in doomed:
        waiting = entry.get(each)
        if waiting is not None:
            entry.fail(waiting, DEPENDENCY_REASON)


def _array_size(params: Mapping[str, Any]) -> int | None:
    size: int | None = params.get("arrayProperties", {}).get("size")
    if size is not None and size not in ARRAY_SIZES:
        raise ApiError(
            "ClientException",
            f"Array job size must be between {ARRAY_SIZES.start} and {ARRAY_SIZES.stop - 1:,}, not {size}",
        )
    return size


def _merged_spec(call: Call, name: str, definition: Row, definition_tags: Mapping[str, str]) -> JobSpec:
    """The submission on top of its definition; raises `ClientException` for what Batch refuses."""
    params = call.params
    registered = json.loads(definition["spec"])
    parameters = registered.get("parameters", {}) | params.get("parameters", {})
    strategy = params.get("retryStrategy", registered.get("retryStrategy", {}))
    refuse(retry_strategy_problems(strategy))
    timeout = params.get("timeout", registered.get("timeout", {}))
    refuse(timeout_problems(timeout))
    container = effective_container(registered["containerProperties"], params.get("containerOverrides", {}), parameters)
    check_container(container, is_fargate="FARGATE" in registered["platformCapabilities"])
    resources = resources_of(container)
    depends_on = params.get("dependsOn", [])
    propagate = params.get("propagateTags", registered.get("propagateTags"))
    return JobSpec(
        job_name=name,
        definition_arn=definition["arn"],
        container=container,
        vcpus=resources.vcpus,
        memory_mib=resources.memory_mib,
        gpus=resources.gpus,
        retry_strategy={"attempts": 1, "evaluateOnExit": [], **strategy},
        timeout_seconds=timeout.get("attemptDurationSeconds"),
        parameters=parameters,
        depends_on=depends_on,
        sequential=any(entry.get("type") == "SEQUENTIAL" for entry in depends_on),
        tags={**definition_tags, **params.get("tags", {})} if propagate else params.get("tags", {}),
        propagate_tags=propagate,
        platform_capabilities=registered["platformCapabilities"],
        caller=dataclasses.asdict(call.caller),
        share_identifier=params.get("shareIdentifier"),
        scheduling_priority=params.get("schedulingPriorityOverride", registered.get("schedulingPriority")),
        overrides_chars=overrides_chars(params.get("containerOverrides", {}), container.get("command", ())),
    )


def _check_queue(queue: Row, spec: JobSpec) -> None:
    if queue["state"] != "ENABLED":
        raise ApiError("ClientException", f"Cannot submit jobs to JobQueue {queue['arn']}: its state is DISABLED")
    is_fargate_queue = json.loads(queue["spec"])["jobQueueType"] == "ECS_FARGATE"
    if is_fargate_queue != ("FARGATE" in spec.platform_capabilities):
        raise ApiError(
            "ClientException",
            f"The platform capabilities {', '.join(spec.platform_capabilities)} of JobDefinition {spec.definition_arn} "
            f"do not match the compute environments of JobQueue {queue['arn']}",
        )


def _upstream(tx: Connection, depends_on: Sequence[Mapping[str, str]], size: int | None) -> tuple[list[Job], list[Job]]:
    """The jobs that are waited for as a whole, and the arrays that are waited for child by child."""
    if len(depends_on) > _MAX_DEPENDENCIES:
        raise ApiError(
            "ClientException", f"dependsOn can have at most {_MAX_DEPENDENCIES} entries, not {len(depends_on)}"
        )
    plain: dict[str, Job] = {}
    pairwise: dict[str, Job] = {}
    for entry in depends_on:
        kind, upstream_id = entry.get("type"), entry.get("jobId")
        if kind is not None and size is None:
            raise ApiError("ClientException", f"A dependency of type {kind} is for array jobs only")
        if kind == "SEQUENTIAL":
            if upstream_id:
                raise ApiError("ClientException", "A dependency of type SEQUENTIAL cannot have a jobId")
            continue
        if not upstream_id:
            raise ApiError("ClientException", "jobId must be given for each dependency")
        upstream = load_job(tx, upstream_id)
        if upstream is None:
            raise ApiError("ClientException", f"Job {upstream_id} of dependsOn does not exist")
        if kind == "N_TO_N":
            if upstream.array_size != size:
                raise ApiError(
                    "ClientException",
                    f"A dependency of type N_TO_N needs an array of the same size: {upstream_id} has "
                    f"{upstream.array_size or 'no array'}, this job {size}",
                )
            pairwise[upstream_id] = upstream
        else:
            plain[upstream_id] = upstream
    return list(plain.values()), list(pairwise.values())


def _child_waits(
    tx: Connection, pairwise: Sequence[Job], size: int, plain: int, *, sequential: bool
) -> tuple[list[int], list[int]]:
    """How many open dependencies each child has, and which children wait for one that has failed."""
    counts = [plain + (1 if sequential and index else 0) for index in range(size)]
    failing: set[int] = set()
    for upstream in pairwise:
        for index, row in enumerate(tx.execute(SQL["children"], (upstream.job_id,))):
            if row["status"] != JobStatus.SUCCEEDED:
                counts[index] += 1
            if row["status"] == JobStatus.FAILED:
                failing.add(index)
    return counts, sorted(failing)
