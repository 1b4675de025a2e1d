"""What is decided before anything is called: recovery of stuck stacks, steps of an update, what counts as unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest

from tests.unit.deploy.cloudformation import ROOT_ID
from trainworks.assembly.places import Places
from trainworks.deploy.assets import AssetUpload
from trainworks.deploy.deployment import Deployment
from trainworks.deploy.plan import (
    ApplyChangeSet,
    ContinueRollback,
    CreateToolkit,
    DeleteStack,
    FollowOperation,
    SetTerminationProtection,
    UploadAssets,
    UpOptions,
    is_unchanged,
    plan_recovery,
    plan_update,
)
from trainworks.deploy.stacks import StackCondition, StackState, condition_of, succeeded
from trainworks.errors import DeployError, RequestError

NOTHING = UpOptions()
ASSET = AssetUpload(Path("template.json"), "file", "assets", "hash.json")
DEPLOYMENT = Deployment(
    "platform", {(): {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}}, (ASSET,), ASSET, Places("platform")
)


def _state(status: str, **more: object) -> StackState:
    return replace(StackState("platform", ROOT_ID, status), **more)  # type: ignore[arg-type]


def test_every_status_of_the_api_has_a_condition() -> None:
    model = botocore.session.get_session().get_service_model("cloudformation")
    statuses = model.shape_for("StackStatus").enum  # type: ignore[attr-defined]
    at_rest = {status: condition_of(status) for status in statuses if not status.endswith("_IN_PROGRESS")}
    assert {s for s, c in at_rest.items() if c is StackCondition.STABLE} == {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
        "IMPORT_ROLLBACK_FAILED",
    }
    assert StackCondition.IN_PROGRESS not in at_rest.values()
    assert not any(succeeded(status) for status in statuses if "ROLLBACK" in status or "FAILED" in status)


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "DELETE_COMPLETE"]
)
def test_a_stack_at_rest_needs_no_recovery(status: str) -> None:
    assert plan_recovery(_state(status), NOTHING) is None


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_a_busy_stack_is_followed(status: str) -> None:
    assert plan_recovery(_state(status), NOTHING) == FollowOperation(ROOT_ID, status)


@pytest.mark.parametrize("status", ["REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"])
def test_what_never_came_to_be_is_deleted_without_asking(status: str) -> None:
    assert isinstance(plan_recovery(_state(status), NOTHING), DeleteStack)


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_what_may_hold_data_is_deleted_only_when_allowed(status: str) -> None:
    with pytest.raises(DeployError, match=status) as refused:
        plan_recovery(_state(status), NOTHING)
    assert "--recreate" in refused.value.fix
    assert isinstance(plan_recovery(_state(status), UpOptions(recreate=True)), DeleteStack)


def test_termination_protection_stands_above_recreate() -> None:
    with pytest.raises(RequestError, match="termination protection"):
        plan_recovery(_state("DELETE_FAILED", termination_protection=True), UpOptions(recreate=True))


def test_a_stuck_rollback_is_continued_only_when_allowed() -> None:
    stuck = _state("UPDATE_ROLLBACK_FAILED", status_reason="Role is gone")
    with pytest.raises(DeployError, match="Role is gone") as refused:
        plan_recovery(stuck, NOTHING)
    assert "--continue-rollback" in refused.value.fix
    allowed = UpOptions(continue_rollback=True, skip_resources=("Role",))
    assert plan_recovery(stuck, allowed) == ContinueRollback(ROOT_ID, ("Role",))


def test_a_first_deployment_uploads_and_creates() -> None:
    assert plan_update(None, DEPLOYMENT, (), (ASSET,), NOTHING) == (UploadAssets((ASSET,)), ApplyChangeSet("CREATE"))


def test_an_update_with_all_assets_there_is_one_step() -> None:
    assert plan_update(_state("CREATE_COMPLETE"), DEPLOYMENT, (), (), NOTHING) == (ApplyChangeSet("UPDATE"),)


def test_a_missing_bootstrap_is_named_with_its_fix() -> None:
    with pytest.raises(RequestError, match="cdk-assets") as refused:
        plan_update(None, DEPLOYMENT, ("cdk-assets",), (ASSET,), NOTHING)
    assert "cdk bootstrap" in refused.value.fix
    steps = plan_update(None, DEPLOYMENT, ("cdk-assets",), (ASSET,), UpOptions(bootstrap=True))
    assert steps[0] == CreateToolkit("cdk-assets")


def test_termination_protection_follows_the_profile() -> None:
    protected = replace(DEPLOYMENT, termination_protection=True)
    assert plan_update(None, protected, (), (), NOTHING)[-1] == SetTerminationProtection(True)
    on = _state("CREATE_COMPLETE", termination_protection=True)
    assert plan_update(on, DEPLOYMENT, (), (), NOTHING)[-1] == SetTerminationProtection(False)
    assert plan_update(on, protected, (), (), NOTHING) == (ApplyChangeSet("UPDATE"),)


def test_unchanged_is_same_template_tags_and_protection_on_a_healthy_stack() -> None:
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}
    healthy = _state("UPDATE_ROLLBACK_COMPLETE")
    assert is_unchanged(healthy, template, DEPLOYMENT)
    assert not is_unchanged(None, template, DEPLOYMENT)
    assert not is_unchanged(_state("UPDATE_FAILED"), template, DEPLOYMENT)
    assert not is_unchanged(healthy, {"Resources": {}}, DEPLOYMENT)
    assert not is_unchanged(healthy, template, replace(DEPLOYMENT, tags={"Team": "ml"}))
    assert not is_unchanged(healthy, template, replace(DEPLOYMENT, termination_protection=True))
