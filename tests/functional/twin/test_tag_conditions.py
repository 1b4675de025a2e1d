"""Tags and IAM: who may create, tag and use what has which tags, in Batch as in SageMaker."""

from __future__ import annotations

from typing import Any

from tests.functional.batch.test_jobs import Platform
from tests.functional.twin.iam import allow, code, deny, new, user

from trainworks.testing import TestTwin

OURS = {"team": "ours"}
IF_ASKED = {"Condition": {"StringEquals": {"aws:RequestTag/team": "ours"}}}
IF_HAS = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "ours"}}}
NOT_TEAM = {"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}}
DENIED = "AccessDeniedException"


def definition(**more: Any) -> dict[str, Any]:
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}]
    container = {"image": "python:3", "command": ["true"], "resourceRequirements": requirements}
    return {"jobDefinitionName": new("d"), "type": "container", "containerProperties": container, **more}


def test_batch_sees_the_tags_of_requests_and_of_resources(twin: TestTwin) -> None:
    platform = Platform(twin)
    order = [{"order": 1, "computeEnvironment": platform.name}]
    create = allow(["batch:RegisterJobDefinition", "batch:CreateJobQueue"], **IF_ASKED)
    batch = twin.client("batch", user(twin, create)[1])
    for call, given in (
        (batch.register_job_definition, definition()),
        (batch.create_job_queue, {"jobQueueName": new("q"), "priority": 1, "computeEnvironmentOrder": order}),
    ):
        assert code(call, **given) == DENIED
        assert code(call, **given, tags={"team": "theirs"}) == DENIED
        assert code(call, **given, tags=OURS) == "OK"

    root = twin.client("batch")
    arns = [
        root.register_job_definition(**definition(tags={"team": team}))["jobDefinitionArn"]
        for team in ("ours", "theirs")
    ]
    using = user(
        twin,
        allow("batch:SubmitJob", f"arn:aws:batch:*:*:job-queue/{platform.name}"),
        allow(["batch:SubmitJob", "batch:DeregisterJobDefinition", "batch:ListTagsForResource"], **IF_HAS),
        allow(["batch:TagResource", "batch:UntagResource"]),
        deny(["batch:TagResource", "batch:UntagResource"], **NOT_TEAM),
    )[1]
    batch = twin.client("batch", using)
    submit = {"jobName": "j", "jobQueue": platform.name}
    assert [code(batch.submit_job, **submit, jobDefinition=arn) for arn in arns] == ["OK", DENIED]
    assert [code(batch.list_tags_for_resource, resourceArn=arn) for arn in arns] == ["OK", DENIED]
    assert code(batch.tag_resource, resourceArn=arns[1], tags=OURS) == DENIED
    assert code(batch.untag_resource, resourceArn=arns[0], tagKeys=["team"]) == DENIED
    assert code(batch.tag_resource, resourceArn=arns[1], tags={"other": "x"}) == "OK"
    assert code(batch.untag_resource, resourceArn=arns[1], tagKeys=["other"]) == "OK"
    root.tag_resource(resourceArn=arns[1], tags=OURS)
    root.untag_resource(resourceArn=arns[0], tagKeys=["team"])
    assert [code(batch.deregister_job_definition, jobDefinition=arn) for arn in arns] == [DENIED, "OK"]


def test_the_end_of_a_job_asks_for_its_tags(twin: TestTwin) -> None:
    platform = Platform(twin)
    ours, theirs = (platform.submit(["sleep", "600"], tags={"team": team}) for team in ("ours", "theirs"))
    batch = twin.client("batch", user(twin, allow("batch:TerminateJob", **IF_HAS))[1])
    assert [code(batch.terminate_job, jobId=job, reason="enough") for job in (ours, theirs)] == ["OK", DENIED]
    twin.client("batch").terminate_job(jobId=theirs, reason="enough")
    assert platform.ended(theirs)["status"] == "FAILED"
