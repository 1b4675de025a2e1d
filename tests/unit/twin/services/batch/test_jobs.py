"""Single jobs: from the request to the task, and back from its events to the job's end."""

from __future__ import annotations

import base64
import json
import re
import sys
from typing import Any

import pytest

from tests.unit.twin.services.batch.conftest import Batch
from trainworks.twin.ports import ApiError, TaskEvent, TaskState


def test_a_job_becomes_a_task_and_succeeds(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit(containerOverrides={"environment": [{"name": "MODE", "value": "fast"}]})

    task = batch.compute.tasks[f"batch.{job_id}.1"]
    assert task.argv[0].endswith("/true")
    assert task.cwd == "/tmp"
    assert {name: task.env[name] for name in ("MODE", "FROM_IMAGE", "AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT")} == {
        "MODE": "fast",
        "FROM_IMAGE": "1",
        "AWS_BATCH_JOB_ID": job_id,
        "AWS_BATCH_JOB_ATTEMPT": "1",
    }
    assert task.env["AWS_BATCH_JQ_NAME"] == "q"
    assert task.env["AWS_BATCH_CE_NAME"] == "ce"
    assert task.env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4577"
    assert batch.status(job_id) == "RUNNABLE"

    batch.run(job_id)

    job = batch.job(job_id)
    assert job["status"] == "SUCCEEDED"
    assert job["statusReason"] == "Essential container in task exited"
    assert (job["startedAt"], job["stoppedAt"]) == (1_001_000, 1_002_000)
    [attempt] = job["attempts"]
    assert attempt["container"]["exitCode"] == 0
    assert attempt["container"]["logStreamName"].startswith("d/default/")
    assert (
        attempt["container"]["taskArn"].rpartition("/")[2] == attempt["container"]["logStreamName"].rpartition("/")[2]
    )


def test_states_follow_the_task_one_by_one(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit()
    task_id = f"batch.{job_id}.1"
    seen = [batch.status(job_id)]
    for event in (
        TaskEvent(task_id, TaskState.PLACED, 1.0, "i-1"),
        TaskEvent(task_id, TaskState.RUNNING, 2.0, "i-1"),
        TaskEvent(task_id, TaskState.EXITED, 3.0, "i-1", exit_code=3),
    ):
        batch.report(event)
        seen.append(batch.status(job_id))
    assert seen == ["RUNNABLE", "STARTING", "RUNNING", "FAILED"]
    assert batch.job(job_id)["container"]["exitCode"] == 3


def test_parameters_fill_placeholders_of_the_command(batch: Batch) -> None:
    batch.platform()
    batch.define("p", container={"command": ["python", "-c", "Ref::code", "--in=Ref::where", "Ref::unknown"]},
                 parameters={"code": "pass", "where": "a"})  # fmt: skip
    job_id = batch.submit(jobDefinition="p", parameters={"where": "s3://b/k"})
    assert batch.compute.tasks[f"batch.{job_id}.1"].argv == (
        sys.executable, "-c", "pass", "--in=s3://b/k", "Ref::unknown",
    )  # fmt: skip


def test_roles_give_credentials_and_the_image_is_pulled_by_the_execution_role(batch: Batch) -> None:
    batch.platform()
    batch.define("r", container={"jobRoleArn": "arn:aws:iam::000000000000:role/job",
                                 "executionRoleArn": "arn:aws:iam::000000000000:role/exec"})  # fmt: skip
    assert batch.control_plane.passed == [
        ("arn:aws:iam::000000000000:role/job", "ecs-tasks.amazonaws.com"),
        ("arn:aws:iam::000000000000:role/exec", "ecs-tasks.amazonaws.com"),
    ]
    job_id = batch.submit(jobDefinition="r")
    env = batch.compute.tasks[f"batch.{job_id}.1"].env
    assert env["AWS_SESSION_TOKEN"] == "token"
    assert "assumed-role/exec/" in batch.images.callers[-1].arn


def test_without_a_job_role_there_are_no_credentials(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit()
    assert not [name for name in batch.compute.tasks[f"batch.{job_id}.1"].env if name.startswith("AWS_ACCESS")]


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"image": "missing:1"}, "CannotPullContainerError: missing:1: The image missing:1 does not exist."),
        ({"command": ["no-such-program"]}, "CannotStartContainerError: .*executable file not found"),
        ({"command": []}, "CannotStartContainerError: .*no command specified"),
        ({"jobRoleArn": "arn:aws:iam::000000000000:role/untrusting"}, "ECS was unable to assume the role"),
    ],
)
def test_a_container_that_cannot_be_made_fails_its_job(batch: Batch, container: dict[str, object], reason: str) -> None:
    batch.platform()
    batch.define("x", container=container)
    job_id = batch.submit(jobDefinition="x")
    job = batch.job(job_id)
    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Task failed to start"
    assert re.match(reason, job["container"]["reason"], re.DOTALL)
    assert not batch.compute.tasks


def test_an_execution_role_that_may_not_write_logs_fails_the_job_before_it_starts(batch: Batch) -> None:
    batch.platform()
    batch.define("r", container={"executionRoleArn": "arn:aws:iam::000000000000:role/exec"})
    batch.control_plane.denied.append(
        ("logs:CreateLogStream", "arn:aws:logs:us-east-1:000000000000:log-group:/aws/batch/job")
    )
    job = batch.job(batch.submit(jobDefinition="r"))
    assert job["status"] == "FAILED"
    assert "failed to create Cloudwatch log stream" in job["container"]["reason"]


def test_memory_timeout_and_spot_have_their_reasons(batch: Batch) -> None:
    batch.platform()
    memory, timeout, spot = batch.submit(), batch.submit(timeout={"attemptDurationSeconds": 60}), batch.submit()
    assert batch.compute.tasks[f"batch.{timeout}.1"].timeout_seconds == 60
    batch.run(memory, 137, "out of memory")
    batch.run(timeout, 137, "timeout")
    batch.report(
        TaskEvent(f"batch.{spot}.1", TaskState.PLACED, 1.0, "i-9"),
        TaskEvent(f"batch.{spot}.1", TaskState.RUNNING, 2.0, "i-9"),
        TaskEvent(f"batch.{spot}.1", TaskState.LOST, 3.0, "i-9", reason="spot interruption"),
    )
    assert batch.job(memory)["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert batch.job(timeout)["statusReason"] == "Job attempt duration exceeded timeout"
    assert batch.job(spot)["statusReason"] == "Host EC2 (instance i-9) terminated."
    assert [batch.status(job_id) for job_id in (memory, timeout, spot)] == ["FAILED"] * 3


def test_a_spot_interruption_is_retried_and_a_failure_is_not(batch: Batch) -> None:
    batch.platform()
    strategy = {
        "attempts": 3,
        "evaluateOnExit": [
            {"onStatusReason": "Host EC2*", "action": "RETRY"},
            {"onReason": "*", "action": "EXIT"},
        ],
    }
    job_id = batch.submit(retryStrategy=strategy)
    batch.report(
        TaskEvent(f"batch.{job_id}.1", TaskState.PLACED, 1.0, "i-9"),
        TaskEvent(f"batch.{job_id}.1", TaskState.RUNNING, 2.0, "i-9"),
        TaskEvent(f"batch.{job_id}.1", TaskState.LOST, 3.0, "i-9", reason="spot interruption"),
    )
    assert batch.status(job_id) == "RUNNABLE"
    batch.service.dispatcher.dispatch()
    assert batch.compute.tasks[f"batch.{job_id}.2"].env["AWS_BATCH_JOB_ATTEMPT"] == "2"
    batch.run(job_id, 1, attempt=2)
    job = batch.job(job_id)
    assert job["status"] == "FAILED"
    assert [attempt["statusReason"] for attempt in job["attempts"]] == [
        "Host EC2 (instance i-9) terminated.",
        "Essential container in task exited",
    ]


def test_a_job_that_ran_into_its_timeout_is_not_retried(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit(retryStrategy={"attempts": 3}, timeout={"attemptDurationSeconds": 60})
    batch.run(job_id, 137, "timeout")
    assert batch.status(job_id) == "FAILED"


def test_events_of_an_old_attempt_change_nothing(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit(retryStrategy={"attempts": 2})
    batch.run(job_id, 1)
    assert batch.status(job_id) == "RUNNABLE"
    batch.run(job_id, 0)
    assert batch.status(job_id) == "RUNNABLE"
    batch.run(job_id, 0, attempt=2)
    assert batch.status(job_id) == "SUCCEEDED"


def test_a_job_has_ended_when_its_last_lines_are_in_logs(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit()
    task = batch.compute.tasks[f"batch.{job_id}.1"]
    task.log_path.parent.mkdir(parents=True, exist_ok=True)
    task.log_path.write_text("last line")
    batch.control_plane.patterns = [{}]
    batch.compute.run(task.task_id, exit_code=3)
    assert batch.job(job_id)["status"] == "RUNNING"
    assert not batch.call("ListJobs", jobQueue="q", jobStatus="FAILED")["jobSummaryList"]
    batch.outbox.drain()
    assert [detail["status"] for _, _, detail in batch.control_plane.events][-1] == "RUNNING"
    batch.log_shipper.ship()
    batch.outbox.drain()
    assert batch.job(job_id)["container"]["exitCode"] == 3
    assert [detail["status"] for _, _, detail in batch.control_plane.events][-1] == "FAILED"
    assert list(batch.logs.lines.values()) == [["last line"]]


def test_cancel_ends_what_did_not_start_and_terminate_what_did(batch: Batch) -> None:
    batch.platform()
    waiting, running, pending = batch.submit(), batch.submit(), batch.submit()
    dependent = batch.submit(dependsOn=[{"jobId": pending}])
    batch.report(
        TaskEvent(f"batch.{running}.1", TaskState.PLACED, 1.0, "i-1"),
        TaskEvent(f"batch.{running}.1", TaskState.RUNNING, 2.0, "i-1"),
    )
    for job_id in (waiting, running, dependent):
        batch.call("CancelJob", jobId=job_id, reason="not needed")
    assert batch.compute.stopped == [f"batch.{waiting}.1"]
    batch.report(TaskEvent(f"batch.{waiting}.1", TaskState.CANCELLED, 3.0))
    assert [batch.status(job_id) for job_id in (waiting, running, dependent)] == ["FAILED", "RUNNING", "FAILED"]
    assert batch.job(waiting)["statusReason"] == "not needed"
    assert batch.job(waiting)["isCancelled"] is True

    batch.call("TerminateJob", jobId=running, reason="enough")
    assert batch.compute.stopped[-1] == f"batch.{running}.1"
    batch.report(TaskEvent(f"batch.{running}.1", TaskState.EXITED, 4.0, "i-1", exit_code=143, reason="stopped"))
    job = batch.job(running)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "enough", True)
    assert job["container"]["exitCode"] == 143


def test_a_stop_that_a_crash_swallowed_is_repeated_at_start(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit()
    batch.call("TerminateJob", jobId=job_id, reason="enough")
    batch.compute.stopped.clear()
    service = batch.make_service()
    service.start()
    service.stop()
    assert batch.compute.stopped == [f"batch.{job_id}.1"]


def test_submitting_is_authorized_on_definition_and_queue(batch: Batch) -> None:
    batch.platform()
    batch.submit()
    resources = [resource for _, action, resource in batch.control_plane.authorized if action == "batch:SubmitJob"]
    scope = "arn:aws:batch:us-east-1:000000000000"
    assert resources == [f"{scope}:job-definition/d:1", f"{scope}:job-queue/q"]
    batch.control_plane.denied.append(("batch:SubmitJob", f"{scope}:job-queue/q"))
    with pytest.raises(ApiError, match="AccessDenied"):
        batch.submit()
    assert not batch.call("ListJobs", jobQueue="q", jobStatus="SUBMITTED")["jobSummaryList"]


def test_jobs_run_in_the_order_of_their_queues_priority(batch: Batch) -> None:
    batch.platform()
    order = [{"order": 1, "computeEnvironment": "ce"}]
    batch.call("CreateJobQueue", jobQueueName="urgent", priority=9, computeEnvironmentOrder=order)
    for queue in ("q", "urgent"):
        batch.call("SubmitJob", jobName="j", jobQueue=queue, jobDefinition="d")
    batch.service.dispatcher.dispatch()
    assert [task.priority for task in batch.compute.tasks.values()] == [9, 1]


def test_jobs_that_start_alike_are_made_once_and_keep_their_order(batch: Batch) -> None:
    batch.platform()
    batch.define("r", container={"jobRoleArn": "arn:aws:iam::000000000000:role/job"})
    batch.define("other", container={"command": ["false"]})
    submitted = [
        batch.call("SubmitJob", jobName=f"j{place}", jobQueue="q", jobDefinition=definition)["jobId"]
        for place, definition in enumerate(["d", "r", "d", "other", "r", "d"])
    ]
    batch.service.dispatcher.dispatch()

    assert [task.env["AWS_BATCH_JOB_ID"] for task in batch.compute.tasks.values()] == submitted
    tasks = list(batch.compute.tasks.values())
    assert [task.argv[0].rpartition("/")[2] for task in tasks] == ["true", "true", "true", "false", "true", "true"]
    assert len(batch.images.callers) == 4, "the three of d share one launch; each with a role has its own"
    keys = [task.env["AWS_ACCESS_KEY_ID"] for task in tasks if "AWS_ACCESS_KEY_ID" in task.env]
    assert len(set(keys)) == 2
    assert [task.log_head for task in tasks] == ["trainworks: stands for python:3.11\n"] * 6


def test_one_cause_fails_all_jobs_that_start_alike_by_their_own_strategies(batch: Batch) -> None:
    batch.platform()
    batch.define("absent", container={"image": "missing:1"})
    ids = [
        batch.call("SubmitJob", jobName="j", jobQueue="q", jobDefinition="absent", retryStrategy={"attempts": attempts})
        for attempts in (1, 3, 2)
    ]
    for _ in range(3):
        batch.service.dispatcher.dispatch()
    jobs = [batch.job(each["jobId"]) for each in ids]
    assert [(job["status"], len(job["attempts"])) for job in jobs] == [("FAILED", 1), ("FAILED", 3), ("FAILED", 2)]


def test_output_goes_to_the_group_of_the_definition(batch: Batch) -> None:
    batch.platform()
    options = {"awslogs-group": "/my/jobs", "awslogs-stream-prefix": "inference"}
    batch.define("l", container={"logConfiguration": {"logDriver": "awslogs", "options": options},
                                 "executionRoleArn": "arn:aws:iam::000000000000:role/exec"})  # fmt: skip
    job_id = batch.submit(jobDefinition="l")
    task = batch.compute.tasks[f"batch.{job_id}.1"]
    with task.log_path.open("a") as log:
        log.write("hello\n")
    batch.run(job_id)
    batch.log_shipper.ship()
    stream = batch.job(job_id)["container"]["logStreamName"]
    assert stream.startswith("inference/default/")
    assert batch.logs.lines == {("/my/jobs", stream): ["trainworks: stands for python:3.11", "hello"]}
    assert "assumed-role/exec/" in str(batch.logs.callers[0])


def test_a_group_that_nobody_made_or_may_make_fails_the_container(batch: Batch) -> None:
    batch.platform()
    batch.logs.absent |= {"/absent", "/aws/batch/job"}

    def reason(**options: str) -> str:
        batch.define("l", container={"logConfiguration": {"logDriver": "awslogs", "options": options}})
        job = batch.job(batch.submit(jobDefinition="l"))
        return str(job.get("attempts", [{}])[-1].get("container", {}).get("reason", "")) if job["attempts"] else ""

    missing = reason(**{"awslogs-group": "/absent"})
    assert missing.startswith("CannotStartContainerError") and "The specified log group does not exist" in missing
    assert reason(**{"awslogs-group": "/absent", "awslogs-create-group": "true"}) == ""
    assert reason() == ""


def test_listing_filters_and_pages(batch: Batch) -> None:
    batch.platform()
    first = [batch.submit(jobName=f"a{number}") for number in range(3)]
    other = batch.submit(jobName="b")
    listed = batch.call("ListJobs", jobQueue="q", jobStatus="RUNNABLE", maxResults=2)
    assert [job["jobId"] for job in listed["jobSummaryList"]] == [other, first[2]]
    rest = batch.call("ListJobs", jobQueue="q", jobStatus="RUNNABLE", maxResults=2, nextToken=listed["nextToken"])
    assert [job["jobId"] for job in rest["jobSummaryList"]] == [first[1], first[0]]
    assert "nextToken" not in rest
    named = batch.call("ListJobs", jobQueue="q", filters=[{"name": "JOB_NAME", "values": ["A*"]}])
    assert [job["jobName"] for job in named["jobSummaryList"]] == ["a2", "a1", "a0"]
    assert batch.call("ListJobs", jobQueue="q")["jobSummaryList"] == []


@pytest.mark.parametrize(
    "filters", [[], [{"name": "BEFORE_CREATED_AT", "values": ["9000000"]}], [{"name": "JOB_NAME", "values": ["*"]}]]
)
def test_a_page_of_nothing_and_a_token_that_was_made_up_are_refused(
    batch: Batch, filters: list[dict[str, Any]]
) -> None:
    batch.platform()
    for _ in range(2):
        batch.submit()
    asked = {"jobQueue": "q", "jobStatus": "RUNNABLE", "filters": filters}
    question, _ = json.loads(base64.urlsafe_b64decode(batch.call("ListJobs", **asked, maxResults=1)["nextToken"]))
    for after in ([], ["a"], [None, None], [{}], [1, 2, 3], [10**30], [10**30, 1]):
        token = base64.urlsafe_b64encode(json.dumps([question, after]).encode()).decode()
        with pytest.raises(ApiError, match="ClientException: The NextToken is invalid"):
            batch.call("ListJobs", **asked, nextToken=token)
    for most in (0, -5):
        with pytest.raises(ApiError, match="ClientException: A page has room"):
            batch.call("ListJobs", **asked, maxResults=most)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("JOB_NAME", "TRAIN", [3, 0]),
        ("JOB_NAME", "tra*", [3, 2, 0]),
        ("JOB_NAME", "rain*", []),
        ("JOB_DEFINITION", "D", [3, 2, 1, 0]),
        ("JOB_DEFINITION", "d:1", [3, 2, 1, 0]),
        ("JOB_DEFINITION", "d:2", []),
        ("JOB_DEFINITION", "arn:aws:batch:us-east-1:000000000000:job-definition/d*", [3, 2, 1, 0]),
        ("BEFORE_CREATED_AT", "1002000", [1, 0]),
        ("AFTER_CREATED_AT", "1001000", [3, 2]),
        ("SHARE_IDENTIFIER", "team*", [2, 1]),
    ],
)
def test_each_filter_finds_its_jobs_newest_first_in_pages(
    batch: Batch, name: str, value: str, expected: list[int]
) -> None:
    batch.platform()
    job_ids = []
    for job_name, share in (("train", None), ("other", "TeamA"), ("Tracing", "teamb"), ("train", None)):
        job_ids.append(batch.submit(jobName=job_name, **({"shareIdentifier": share} if share else {})))
        batch.now += 1
    found: list[str] = []
    request: dict[str, Any] = {"jobQueue": "q", "maxResults": 1, "filters": [{"name": name, "values": [value]}]}
    while True:
        page = batch.call("ListJobs", **request)
        found += [job["jobId"] for job in page["jobSummaryList"]]
        if "nextToken" not in page:
            break
        request["nextToken"] = page["nextToken"]
    assert [job_ids.index(job_id) for job_id in found] == expected


def test_a_moment_that_is_no_number_is_refused(batch: Batch) -> None:
    batch.platform()
    with pytest.raises(ApiError, match="takes milliseconds since the epoch, not 'today'"):
        batch.call("ListJobs", jobQueue="q", filters=[{"name": "AFTER_CREATED_AT", "values": ["today"]}])


def test_state_changes_are_published_where_a_rule_wants_them(batch: Batch) -> None:
    batch.platform()
    batch.run(batch.submit())
    assert batch.outbox.drain() == 0
    batch.control_plane.patterns = [{"source": ["aws.batch"], "detail": {"status": ["FAILED"]}}]
    failing = batch.submit()
    batch.run(failing, 1)
    batch.outbox.drain()
    [(source, detail_type, detail)] = batch.control_plane.events
    assert (source, detail_type) == ("aws.batch", "Batch Job State Change")
    assert (detail["jobId"], detail["status"]) == (failing, "FAILED")
    batch.control_plane.events.clear()
    batch.control_plane.patterns = [{"source": ["aws.batch"]}]
    batch.run(batch.submit())
    batch.outbox.drain()
    statuses = [detail["status"] for _, _, detail in batch.control_plane.events]
    assert statuses == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_old_jobs_are_forgotten(batch: Batch) -> None:
    batch.platform()
    job_id = batch.submit()
    batch.run(job_id)
    folder = batch.jobs_dir / "batch" / job_id
    assert folder.is_dir()
    batch.now += 8 * 24 * 3600
    batch.service.ended.purge()
    assert not folder.exists()
    assert batch.call("DescribeJobs", jobs=[job_id])["jobs"] == []
