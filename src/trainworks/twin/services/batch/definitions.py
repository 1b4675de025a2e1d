"""Job definitions of type `container`, in numbered revisions.

Source: `RegisterJobDefinition` in the AWS Batch API reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from sqlite3 import Connection, Row
from typing import Any

from trainworks.aws.batch_constraints import retry_strategy_problems, timeout_problems
from trainworks.twin.ports import ApiError, ControlPlane
from trainworks.twin.services.batch.arns import check_name, scope_of
from trainworks.twin.services.batch.container import REFUSED_MEMBERS, check_container
from trainworks.twin.services.batch.records import SQL
from trainworks.twin.services.batch.refusals import pass_role, refuse
from trainworks.twin.services.batch.resources import parse_definition
from trainworks.twin.services.batch.tags import authorize_create, authorize_on, put_tags, read_tags
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Operation, executed, page

_PAGE_SIZE = 100
_KEPT = (
    "parameters", "schedulingPriority", "containerProperties", "retryStrategy", "propagateTags", "timeout",
    "platformCapabilities",
)  # fmt: skip
_SHOWN_EMPTY = ("command", "environment", "mountPoints", "resourceRequirements", "secrets", "ulimits", "volumes")


class JobDefinitions:
    """Register, deregister and describe."""

    def __init__(self, database: Database, control_plane: ControlPlane) -> None:
        self._database = database
        self._control_plane = control_plane

    def operations(self) -> Mapping[str, Operation]:
        return {
            "RegisterJobDefinition": executed(
                self.register_job_definition,
                "Type container. A volume with a sourcePath is a folder on the empty disk of its instance, shared by "
                "the instance's jobs and gone with it, never a folder of this machine; a sourcePath of an operating "
                "system (/etc, /var/run/docker.sock) is refused. A volume without one is an empty folder of the job. "
                "tmpfs, shared memory and ulimits hold, as far as this machine's own limits go; every container has an "
                "init process. User, swap, network, platform version, ephemeral storage and runtime platform are "
                "recorded; EFS, secrets and privileged containers are refused. All of it: "
                "[batch-containers.md](batch-containers.md).",
                refused_members=(
                    "nodeProperties",
                    "eksProperties",
                    "ecsProperties",
                    "consumableResourceProperties",
                    *REFUSED_MEMBERS,
                ),
            ),
            "DeregisterJobDefinition": executed(self.deregister_job_definition),
            "DescribeJobDefinitions": executed(self.describe_job_definitions),
        }

    def register_job_definition(self, call: Call) -> Mapping[str, Any]:
        params = call.params
        name = check_name("jobDefinitionName", params["jobDefinitionName"])
        scope = scope_of(call.caller)
        authorize_create(self._control_plane, call, f"{scope}:job-definition/{name}")
        _check_definition(params)
        for member in ("jobRoleArn", "executionRoleArn"):
            role = params["containerProperties"].get(member)
            if role:
                pass_role(self._control_plane, call.caller, role, "ecs-tasks.amazonaws.com")
        spec = {member: params[member] for member in _KEPT if member in params}
        spec.setdefault("platformCapabilities", ["EC2"])
        with self._database.transaction() as tx:
            revision = (tx.execute(SQL["definition_last_revision"], (scope, name)).fetchone()[0] or 0) + 1
            arn = f"{scope}:job-definition/{name}:{revision}"
            row = {"arn": arn, "scope": scope, "name": name, "revision": revision, "spec": json.dumps(spec)}
            tx.execute(SQL["definition_insert"], row)
            put_tags(tx, arn, params.get("tags", {}))
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def deregister_job_definition(self, call: Call) -> Mapping[str, Any]:
        scope = scope_of(call.caller)
        name, revision = parse_definition(call.params["jobDefinition"])
        if revision is None:
            raise ApiError("ClientException", "jobDefinition must be name:revision or an ARN with a revision")
        arn = f"{scope}:job-definition/{name}:{revision}"
        authorize_on(self._control_plane, self._database, call, arn)
        with self._database.transaction() as tx:
            tx.execute(SQL["definition_deregister"], (arn,))
        return {}

    def describe_job_definitions(self, call: Call) -> Mapping[str, Any]:
        params = call.params
        self._control_plane.authorize(call.caller, "batch:DescribeJobDefinitions", "*")
        with self._database.snapshot() as tx:
            rows = tx.execute(SQL["definitions"], (scope_of(call.caller),)).fetchall()
            chosen, token = page(
                [row for row in rows if _is_wanted(row, params)],
                key=lambda row: [row["name"], row["revision"]],
                limit=params.get("maxResults", _PAGE_SIZE),
                token=params.get("nextToken"),
                request=params,
                error_code="ClientException",
            )
            details = [_detail(tx, row) for row in chosen]
        return {"jobDefinitions": details, **({"nextToken": token} if token else {})}


def _check_definition(params: Mapping[str, Any]) -> None:
    if params["type"] != "container":
        raise ApiError("ClientException", f"trainworks does not implement job definitions of type {params['type']}")
    if "containerProperties" not in params:
        raise ApiError("ClientException", "containerProperties must be provided for a job definition of type container")
    capabilities: Sequence[str] = params.get("platformCapabilities", ["EC2"])
    if len(capabilities) != 1:
        raise ApiError("ClientException", "platformCapabilities must be one of EC2, FARGATE")
    check_container(params["containerProperties"], is_fargate=capabilities[0] == "FARGATE")
    refuse(retry_strategy_problems(params.get("retryStrategy", {})))
    refuse(timeout_problems(params.get("timeout", {})))


def _is_wanted(row: Row, params: Mapping[str, Any]) -> bool:
    if "status" in params and row["status"] != params["status"]:
        return False
    if "jobDefinitionName" in params and row["name"] != params["jobDefinitionName"]:
        return False
    references = params.get("jobDefinitions")
    if references is None:
        return True
    wanted = [parse_definition(reference) for reference in references]
    return any(name == row["name"] and revision in (None, row["revision"]) for name, revision in wanted)


def _detail(tx: Connection, row: Row) -> dict[str, Any]:
    """Lists that were not given are shown empty, as Batch shows them."""
    spec = json.loads(row["spec"])
    return {
        "jobDefinitionName": row["name"],
        "jobDefinitionArn": row["arn"],
        "revision": row["revision"],
        "status": row["status"],
        "type": "container",
        "containerOrchestrationType": "ECS",
        "tags": read_tags(tx, row["arn"]),
        "parameters": {},
        **spec,
        "containerProperties": {**dict.fromkeys(_SHOWN_EMPTY, ()), **spec["containerProperties"]},
    }
