"""Job queues. Source: `CreateJobQueue` in the AWS Batch API reference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from trainworks.twin.ports import ApiError, Compute, ControlPlane
from trainworks.twin.services.batch.arns import arn_of, check_name, scope_of
from trainworks.twin.services.batch.ledger import Ledger
from trainworks.twin.services.batch.paging import described_page
from trainworks.twin.services.batch.records import SQL, STOP_GRACE_SECONDS
from trainworks.twin.services.batch.resources import environment_row, is_fargate_environment, queue_row
from trainworks.twin.services.batch.tags import authorize_create, authorize_on, forget_tags, put_tags, read_tags
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Operation, executed

_MAX_ENVIRONMENTS = 3
_TIME_LIMIT_SECONDS = range(600, 86_400 + 1)
TIME_LIMIT_REASONS = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
)


class JobQueues:
    """Create, update, delete and describe. After an update jobs may fit that were blocked; a queue that is deleted ends
    its jobs."""

    def __init__(self, database: Database, control_plane: ControlPlane, compute: Compute, ledger: Ledger) -> None:
        self._database = database
        self._control_plane = control_plane
        self._compute = compute
        self._ledger = ledger

    def operations(self) -> Mapping[str, Operation]:
        refused_members = ("schedulingPolicyArn", "serviceEnvironmentOrder")
        return {
            "CreateJobQueue": executed(self.create_job_queue, refused_members=refused_members),
            "UpdateJobQueue": executed(self.update_job_queue, refused_members=refused_members),
            "DeleteJobQueue": executed(self.delete_job_queue),
            "DescribeJobQueues": executed(self.describe_job_queues),
        }

    def create_job_queue(self, call: Call) -> Mapping[str, Any]:
        params = call.params
        name = check_name("jobQueueName", params["jobQueueName"])
        arn = arn_of(call.caller, "job-queue", name)
        authorize_create(self._control_plane, call, arn)
        with self._database.transaction() as tx:
            if tx.execute(SQL["queue_by_arn"], (arn,)).fetchone():
                raise ApiError("ClientException", "Object already exists", 409)
            order = _checked_order(tx, call, params.get("computeEnvironmentOrder", []))
            kind = "ECS_FARGATE" if is_fargate_environment(tx, order[0]["computeEnvironment"]) else "ECS"
            if params.get("jobQueueType", kind) != kind:
                raise ApiError("ClientException", f"jobQueueType {params['jobQueueType']} does not match {kind}")
            spec = {
                "computeEnvironmentOrder": order,
                "jobQueueType": kind,
                "jobStateTimeLimitActions": _checked_actions(params.get("jobStateTimeLimitActions", [])),
            }
            row = {"arn": arn, "name": name, "state": params.get("state", "ENABLED")}
            tx.execute(SQL["queue_insert"], {**row, "priority": params["priority"], "spec": json.dumps(spec)})
            put_tags(tx, arn, params.get("tags", {}))
        return {"jobQueueName": name, "jobQueueArn": arn}

    def update_job_queue(self, call: Call) -> Mapping[str, Any]:
        params = call.params
        arn = arn_of(call.caller, "job-queue", params["jobQueue"])
        authorize_on(self._control_plane, self._database, call, arn)
        with self._ledger.entry() as entry:
            tx = entry.tx
            row = queue_row(tx, arn)
            spec = json.loads(row["spec"])
            if "computeEnvironmentOrder" in params:
                spec["computeEnvironmentOrder"] = _checked_order(tx, call, params["computeEnvironmentOrder"])
            if "jobStateTimeLimitActions" in params:
                spec["jobStateTimeLimitActions"] = _checked_actions(params["jobStateTimeLimitActions"])
            tx.execute(
                SQL["queue_update"],
                {
                    "arn": arn,
                    "state": params.get("state", row["state"]),
                    "priority": params.get("priority", row["priority"]),
                    "spec": json.dumps(spec),
                },
            )
            entry.unblock_queue(arn)
        return {"jobQueueName": row["name"], "jobQueueArn": arn}

    def delete_job_queue(self, call: Call) -> Mapping[str, Any]:
        arn = arn_of(call.caller, "job-queue", call.params["jobQueue"])
        authorize_on(self._control_plane, self._database, call, arn)
        with self._ledger.entry() as entry:
            row = entry.tx.execute(SQL["queue_by_arn"], (arn,)).fetchone()
            if row is None:
                return {}
            if row["state"] != "DISABLED":
                raise ApiError("ClientException", "Cannot delete, job queue must be DISABLED first")
            # In the transaction that asked: a queue that was enabled meanwhile could have got jobs that wait for ever.
            tasks = entry.end_queue(arn, "JobQueue deleted")
            entry.tx.execute(SQL["queue_delete"], (arn,))
            forget_tags(entry.tx, arn)
        self._compute.stop(tasks, STOP_GRACE_SECONDS)
        return {}

    def describe_job_queues(self, call: Call) -> Mapping[str, Any]:
        self._control_plane.authorize(call.caller, "batch:DescribeJobQueues", "*")
        with self._database.snapshot() as tx:
            rows = tx.execute(SQL["queues"], (scope_of(call.caller),)).fetchall()
            chosen, more = described_page(call, rows, "job-queue", "jobQueues")
            details = [
                {
                    "jobQueueName": row["name"],
                    "jobQueueArn": row["arn"],
                    "state": row["state"],
                    "status": "VALID",
                    "statusReason": "JobQueue Healthy",
                    "priority": row["priority"],
                    "tags": read_tags(tx, row["arn"]),
                    **json.loads(row["spec"]),
                }
                for row in chosen
            ]
        return {"jobQueues": details, **more}


def _checked_order(tx: Connection, call: Call, order: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not 1 <= len(order) <= _MAX_ENVIRONMENTS:
        raise ApiError(
            "ClientException", f"computeEnvironmentOrder must have 1 to {_MAX_ENVIRONMENTS} entries, not {len(order)}"
        )
    checked = []
    for entry in order:
        arn = arn_of(call.caller, "compute-environment", entry["computeEnvironment"])
        row = environment_row(tx, arn)
        if row["status"] != "VALID":
            raise ApiError("ClientException", f"{arn} is not VALID: {row['status_reason']}")
        checked.append({"order": entry["order"], "computeEnvironment": arn})
    if len({is_fargate_environment(tx, entry["computeEnvironment"]) for entry in checked}) > 1:
        raise ApiError("ClientException", "A job queue cannot mix EC2 and Fargate compute environments")
    if len({entry["order"] for entry in checked}) < len(checked):
        raise ApiError("ClientException", "The order of each compute environment of a job queue must be unique")
    return checked


def _checked_actions(actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    for action in actions:
        if action["maxTimeSeconds"] not in _TIME_LIMIT_SECONDS:
            raise ApiError(
                "ClientException",
                "jobStateTimeLimitActions maxTimeSeconds must be between 600 and 86,400, "
                f"not {action['maxTimeSeconds']}",
            )
        if action["reason"] not in TIME_LIMIT_REASONS:
            raise ApiError(
                "ClientException",
                f"jobStateTimeLimitActions reason '{action['reason']}' is not one of {', '.join(TIME_LIMIT_REASONS)}",
            )
    return [dict(action) for action in actions]
