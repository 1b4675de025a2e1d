"""Compute environments: managed ones, on EC2, Spot or Fargate; each is a pool of instances of the compute plane.

Source: `CreateComputeEnvironment` and `UpdateComputeEnvironment` in the AWS Batch API reference.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from sqlite3 import Connection, Row
from typing import Any

from trainworks.aws.batch_constraints import (
    EC2_TYPES,
    FARGATE_TYPES,
    compute_resources_problems,
    fleet_role_problems,
    launch_template_problems,
    lower_camel,
)
from trainworks.aws.instance_types import UnknownInstanceTypeError, expand_instance_types, instance_type
from trainworks.twin.ports import ApiError, Compute, ControlPlane
from trainworks.twin.services.batch.arns import arn_of, check_name, cluster_arn, scope_of
from trainworks.twin.services.batch.ledger import Ledger
from trainworks.twin.services.batch.paging import described_page
from trainworks.twin.services.batch.records import SQL
from trainworks.twin.services.batch.refusals import pass_role, refuse, service_linked_role
from trainworks.twin.services.batch.resources import environment_row, pool_of
from trainworks.twin.services.batch.tags import authorize_create, authorize_on, forget_tags, put_tags, read_tags
from trainworks.twin.store import Database
from trainworks.twin.wire import Call, Operation, executed

_SCALING_MEMBERS = frozenset({"minvCpus", "maxvCpus", "desiredvCpus"})


class ComputeEnvironments:
    """Create, update, delete and describe. After an update jobs may fit that were blocked."""

    def __init__(self, database: Database, control_plane: ControlPlane, compute: Compute, ledger: Ledger) -> None:
        self._database = database
        self._control_plane = control_plane
        self._compute = compute
        self._ledger = ledger

    def operations(self) -> Mapping[str, Operation]:
        refused_members = ("eksConfiguration", "unmanagedvCpus", "computeResources.managedInstancesProvider")
        return {
            "CreateComputeEnvironment": executed(
                self.create_compute_environment,
                "MANAGED on EC2, Spot or Fargate; launch template, image id, key pair, placement group, bid percentage "
                "and allocation strategy are recorded, minvCpus starts no instances ahead of jobs.",
                refused_members=refused_members,
            ),
            "UpdateComputeEnvironment": executed(self.update_compute_environment, refused_members=refused_members),
            "DeleteComputeEnvironment": executed(self.delete_compute_environment),
            "DescribeComputeEnvironments": executed(self.describe_compute_environments),
        }

    def create_compute_environment(self, call: Call) -> Mapping[str, Any]:
        params = call.params
        name = check_name("computeEnvironmentName", params["computeEnvironmentName"])
        arn = arn_of(call.caller, "compute-environment", name)
        authorize_create(self._control_plane, call, arn)
        if params["type"] != "MANAGED":
            raise ApiError(
                "ClientException", "trainworks does not implement UNMANAGED compute environments; use MANAGED"
            )
        if "computeResources" not in params:
            raise ApiError("ClientException", "computeResources must be provided for a MANAGED compute environment")
        resources = check_resources(params["computeResources"])
        role = params.get("serviceRole")
        if role:
            pass_role(self._control_plane, call.caller, role, "batch.amazonaws.com")
        spec: dict[str, Any] = {
            "type": "MANAGED",
            "computeResources": resources,
            "serviceRole": role or service_linked_role(call.caller.account_id),
            "uuid": _uuid(),
            **{member: params[member] for member in ("context", "ecsSettings") if member in params},
        }
        status, reason = self._validity(resources)
        row = {
            "arn": arn,
            "name": name,
            "pool_id": f"batch.{name}.{hashlib.sha256(arn.encode()).hexdigest()[:8]}",
            "state": params.get("state", "ENABLED"),
            "status": status,
            "status_reason": reason,
            "spec": json.dumps(spec),
        }
        with self._database.transaction() as tx:
            if tx.execute(SQL["environment_by_arn"], (arn,)).fetchone():
                raise ApiError("ClientException", "Object already exists", 409)
            tx.execute(SQL["environment_insert"], row)
            put_tags(tx, arn, params.get("tags", {}))
            self._compute.create_pool(tx, pool_of(environment_row(tx, arn)))
        return {"computeEnvironmentName": name, "computeEnvironmentArn": arn}

    def update_compute_environment(self, call: Call) -> Mapping[str, Any]:
        params = call.params
        arn = arn_of(call.caller, "compute-environment", params["computeEnvironment"])
        authorize_on(self._control_plane, self._database, call, arn)
        if params.get("serviceRole"):
            pass_role(self._control_plane, call.caller, params["serviceRole"], "batch.amazonaws.com")
        update = dict(params.get("computeResources", {}))
        update.pop("updateToLatestImageVersion", None)
        # Asked before the transaction: the control plane may wait for a thread that waits for the database.
        status, reason = self._validity(update)
        with self._ledger.entry() as entry:
            tx = entry.tx
            row = environment_row(tx, arn)
            spec = json.loads(row["spec"])
            _check_update(spec["computeResources"], update)
            spec["computeResources"] = check_resources(spec["computeResources"] | update)
            spec |= {
                member: params[member]
                for member in ("serviceRole", "updatePolicy", "context", "ecsSettings")
                if member in params
            }
            if not ("subnets" in update or "securityGroupIds" in update):
                status, reason = row["status"], row["status_reason"]
            state = params.get("state", row["state"])
            tx.execute(
                SQL["environment_update"],
                {"arn": arn, "state": state, "status": status, "status_reason": reason, "spec": json.dumps(spec)},
            )
            self._compute.create_pool(tx, pool_of(environment_row(tx, arn)))
            entry.unblock_environment(arn)
        return {"computeEnvironmentName": row["name"], "computeEnvironmentArn": arn}

    def delete_compute_environment(self, call: Call) -> Mapping[str, Any]:
        arn = arn_of(call.caller, "compute-environment", call.params["computeEnvironment"])
        authorize_on(self._control_plane, self._database, call, arn)
        with self._database.transaction() as tx:
            row = tx.execute(SQL["environment_by_arn"], (arn,)).fetchone()
            if row is None:
                return {}
            if tx.execute(SQL["queues_of_environment"], (arn,)).fetchone():
                raise ApiError("ClientException", "Cannot delete, found existing JobQueue relationship")
            if row["state"] != "DISABLED":
                raise ApiError("ClientException", "Cannot delete, compute environment must be DISABLED first")
            tx.execute(SQL["environment_delete"], (arn,))
            forget_tags(tx, arn)
            self._compute.delete_pool(row["pool_id"])  # joins the transaction: no pool outlives its environment
        return {}

    def describe_compute_environments(self, call: Call) -> Mapping[str, Any]:
        self._control_plane.authorize(call.caller, "batch:DescribeComputeEnvironments", "*")
        with self._database.snapshot() as tx:
            rows = tx.execute(SQL["environments"], (scope_of(call.caller),)).fetchall()
            chosen, more = described_page(call, rows, "compute-environment", "computeEnvironments")
            details = [self._detail(tx, row) for row in chosen]
        return {"computeEnvironments": details, **more}

    def _detail(self, tx: Connection, row: Row) -> dict[str, Any]:
        spec = json.loads(row["spec"])
        resources = spec.pop("computeResources")
        if resources["type"] in EC2_TYPES:
            in_use = sum(_vcpus(each.instance_type) for each in self._compute.instances(row["pool_id"]))
            resources = resources | {"desiredvCpus": max(in_use, resources.get("minvCpus", 0))}
        return {
            "computeEnvironmentName": row["name"],
            "computeEnvironmentArn": row["arn"],
            "ecsClusterArn": cluster_arn(row["arn"]),
            "tags": read_tags(tx, row["arn"]),
            "state": row["state"],
            "status": row["status"],
            "statusReason": row["status_reason"],
            "computeResources": resources,
            "containerOrchestrationType": "ECS",
            **spec,
        }

    def _validity(self, resources: Mapping[str, Any]) -> tuple[str, str]:
        """VALID, or INVALID with a reason: what Batch finds out when it makes instances, not when it is asked."""
        for subnet in resources.get("subnets", []):
            if not self._control_plane.subnet_exists(subnet):
                return "INVALID", f"CLIENT_ERROR - The subnet ID '{subnet}' does not exist"
        for group in resources.get("securityGroupIds", []):
            if not self._control_plane.security_group_exists(group):
                return "INVALID", f"CLIENT_ERROR - The security group '{group}' does not exist"
        profile = resources.get("instanceRole")
        if profile is not None and not self._control_plane.instance_profile_exists(profile):
            return "INVALID", f"CLIENT_ERROR - Invalid IamInstanceProfile: {profile}"
        if resources.get("launchTemplate"):
            problem = self._launch_template_problem(resources)
            if problem:
                return "INVALID", f"CLIENT_ERROR - {problem}"
        return "VALID", "ComputeEnvironment Healthy"

    def _launch_template_problem(self, resources: Mapping[str, Any]) -> str:
        reference = resources["launchTemplate"]
        data = self._control_plane.launch_template(reference)
        if data is None:
            named = reference.get("launchTemplateId") or reference.get("launchTemplateName")
            return f"The launch template {named}, version {reference.get('version', '$Default')}, does not exist"
        return next((each.message for each in launch_template_problems(resources, lower_camel(data))), "")


def check_resources(resources: Mapping[str, Any]) -> dict[str, Any]:
    """`computeResources` with Batch's defaults; raises `ClientException` for what it refuses."""
    kind = resources["type"]
    for member in ("managedInstancesProvider", "scalingPolicy", "capacityTags"):
        if member in resources:
            raise ApiError("ClientException", f"trainworks does not implement computeResources.{member}; leave it out")
    if kind not in EC2_TYPES + FARGATE_TYPES:
        raise ApiError("ClientException", f"trainworks does not implement compute resources of type {kind}")
    refuse(compute_resources_problems(resources))
    refuse(fleet_role_problems(resources))
    if kind in FARGATE_TYPES:
        return dict(resources)
    try:
        expand_instance_types(resources["instanceTypes"])
    except UnknownInstanceTypeError as error:
        raise ApiError("ClientException", f"{error.message}; {error.fix}") from error
    minimum = resources.get("minvCpus", 0)
    return {"minvCpus": 0, "desiredvCpus": minimum, "allocationStrategy": "BEST_FIT", **resources}


def _check_update(resources: Mapping[str, Any], update: Mapping[str, Any]) -> None:
    """What may be changed in place: with BEST_FIT nothing but the scaling members."""
    infrastructure = sorted(
        member for member, value in update.items() if member not in _SCALING_MEMBERS and resources.get(member) != value
    )
    is_fargate = resources["type"] in FARGATE_TYPES
    if update.get("type", resources["type"]) in FARGATE_TYPES and not is_fargate:
        raise ApiError("ClientException", "The type of EC2 compute resources can only be changed to EC2 or SPOT")
    if infrastructure and not is_fargate and resources.get("allocationStrategy") == "BEST_FIT":
        raise ApiError(
            "ClientException",
            f"Compute environments with allocationStrategy BEST_FIT cannot change {', '.join(infrastructure)}; "
            "create a new compute environment",
        )


def _vcpus(instance_type_name: str) -> int:
    return instance_type(instance_type_name).vcpus


def _uuid() -> str:
    raw = secrets.token_hex(16)
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
