"""From facts about a Batch job to its causes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.doctor.facts import NOW, absent, ago, batch_facts, codes, network, refused, seen
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.doctor.batch.causes import diagnose_batch_job
from trainworks.doctor.batch.facts import (
    Attempt,
    BatchFacts,
    ComputeEnvironment,
    HostFacts,
    InstanceProfile,
    JobQueue,
    OtherJob,
    TimeLimit,
)
from trainworks.doctor.finding import Outcome
from trainworks.doctor.images import ImageFacts
from trainworks.doctor.logs import LogFacts
from trainworks.doctor.quotas import Quota, ec2_quota_code

IMAGE = "111111111111.dkr.ecr.us-east-1.amazonaws.com/app:v1"


def ce(**members: Any) -> ComputeEnvironment:
    return ComputeEnvironment(**{"name": "ce", "instance_types": ("m5.large",), **members})


def first(facts: BatchFacts) -> str:
    return codes(diagnose_batch_job(facts, "name"))[0]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (batch_facts(job_vcpus=32, environments=(ce(max_vcpus=16),)), "job-exceeds-max-vcpus"),
        (batch_facts(job_memory_mib=9000), "job-too-large"),
        (batch_facts(job_gpus=1), "job-too-large"),
        (batch_facts(job_memory_mib=8192), "job-leaves-no-memory-for-host"),
        (batch_facts(job_memory_mib=9000, environments=(ce(instance_types=("c5", "r5")),)), "waiting"),
        (batch_facts(environments=(ce(state="DISABLED"),)), "environment-disabled"),
        (batch_facts(environments=(ce(status="INVALID", status_reason="x"),)), "environment-invalid"),
        (batch_facts(environments=(ce(), ce(name="two", state="DISABLED"))), "environment-disabled"),
        (batch_facts(queue=JobQueue("q", status="INVALID")), "queue-invalid"),
        (batch_facts(queue=JobQueue("q", state="DISABLED")), "queue-disabled"),
        (batch_facts(environments=(ce(instance_types=("z99.large",)),)), "instance-type-unknown"),
        (batch_facts(job_vcpus=2, vcpus_in_use=seen(15.0)), "environment-full"),
        (batch_facts(before_it=seen((OtherJob("k", "first", "RUNNABLE"),))), "behind-others"),
        (batch_facts(quota=seen(Quota("q", 0, "vCPUs"))), "quota-exceeded"),
        (batch_facts(network=network(route="")), "service-unreachable"),
        (batch_facts(hosts=(HostFacts("ce", absent(), None, absent()),)), "instance-profile-missing"),
        (batch_facts(hosts=(HostFacts("ce", seen(InstanceProfile("p")), None, absent()),)), "instance-profile-missing"),
        (batch_facts(hosts=(HostFacts("ce", refused(), None, seen(0)),)), "no-instance-registered"),
        (batch_facts(image=ImageFacts(IMAGE, absent(), absent())), "image-repository-missing"),
        (batch_facts(image=ImageFacts(IMAGE, seen("x"), absent())), "image-missing"),
        (
            batch_facts(job_status_reason="The image is being made: x, once for all jobs", job_gpus=1),
            "image-being-made",
        ),
    ],
)
def test_the_first_cause_of_waiting(facts: BatchFacts, code: str) -> None:
    assert first(facts) == code


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) ...", "job-exceeds-max-vcpus"),
        ("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job ...", "job-too-large"),
        ("MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - Batch service role ...", "service-role-lacks-permission"),
        ("MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED - Your ...", "instance-configuration-unsupported"),
        ("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot ...", "no-capacity"),
        ("ACTION_REQUIRED - CE(s) associated with the job queue are invalid.", "environment-invalid"),
    ],
)
def test_batchs_own_reason_comes_first(reason: str, code: str) -> None:
    facts = batch_facts(job_status_reason=reason, network=network(route=""))
    found = diagnose_batch_job(facts, "name")
    assert found.findings[0].code == code
    assert reason in found.findings[0].evidence[0].value


def test_two_sources_of_one_cause_are_one_finding_with_both_as_evidence() -> None:
    facts = batch_facts(job_gpus=1, job_status_reason="MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - x")
    found = diagnose_batch_job(facts, "name")
    assert codes(found) == ["job-too-large"]
    assert len(found.findings[0].evidence) == 3


def test_a_time_limit_that_will_cancel_it_is_announced() -> None:
    reason = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    queue = JobQueue("q", time_limits=(TimeLimit(reason, 600), TimeLimit("OTHER", 900)))
    found = diagnose_batch_job(batch_facts(queue=queue, job_status_reason=f"{reason} - x"), "name")
    assert codes(found) == ["no-capacity", "time-limit-ahead"]
    assert "600 s" in found.findings[1].what


def test_young_jobs_just_wait_and_old_ones_are_worth_a_look() -> None:
    young = diagnose_batch_job(batch_facts(job_created_at=ago(30)), "name")
    assert (young.exit_code, young.findings[0].outcome) == (0, Outcome.OK)
    old = diagnose_batch_job(batch_facts(job_created_at=ago(3600)), "name")
    assert (old.findings[0].code, old.findings[0].outcome) == ("waiting", Outcome.WARNING)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"exit_code": 1, "status_reason": "Essential container in task exited"}, "exit-code"),
        ({"exit_code": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}, "out-of-memory"),
        ({"exit_code": 137}, "killed"),
        ({"exit_code": 127}, "command-not-found"),
        ({"exit_code": 139}, "crashed"),
        ({"exit_code": 135}, "shared-memory-full"),
        ({"status_reason": "Host EC2 (instance i-1) terminated."}, "host-lost"),
        ({"status_reason": "Job attempt duration exceeded timeout", "exit_code": 137}, "timeout"),
        ({"reason": "CannotPullContainerError: x", "status_reason": "Task failed to start"}, "image-pull-failed"),
        ({"reason": "ResourceInitializationError: unable to pull secrets"}, "task-initialization-failed"),
        ({"reason": "CannotStartContainerError: x"}, "container-start-failed"),
        ({"status_reason": "Task failed to start"}, "container-start-failed"),
        ({"status_reason": "Dependent Job failed"}, "dependency-failed"),
        ({"status_reason": "Canceled by JobStateTimeLimit action due to reason: X"}, "cancelled-by-time-limit"),
        ({"status_reason": "not needed", "ended_by_request": True}, "stopped-by-request"),
        ({"attempts": (Attempt(None, "", "Host EC2 (instance i-1) terminated."),)}, "host-lost"),
        ({}, "failed"),
    ],
)
def test_why_it_failed(members: dict[str, Any], code: str) -> None:
    assert first(batch_facts(**{f"job_{name}": value for name, value in members.items()}, job_status="FAILED")) == code


def test_a_failed_installation_is_no_fault_of_the_program() -> None:
    said = ("ERROR: No matching distribution found for x", "InstallRequirementsError: pip could not install "
            "requirements.txt")  # fmt: skip
    log = LogFacts("g", "s", seen("g"), seen(said, "logs:GetLogEvents"))
    found = diagnose_batch_job(batch_facts(job_status="FAILED", job_exit_code=1, log=log), "name")
    assert codes(found) == ["packages-not-installed"]
    assert "trainworks image build" in found.findings[0].fix


def test_a_module_that_is_missing_is_named() -> None:
    log = LogFacts("g", "s", seen("g"), seen(("ModuleNotFoundError: No module named 'polars'",), "logs:GetLogEvents"))
    found = diagnose_batch_job(batch_facts(job_status="FAILED", job_exit_code=1, log=log), "name")
    assert codes(found) == ["module-missing"]
    assert "polars" in found.findings[0].what and "name it in a requirements.txt" in found.findings[0].fix


@pytest.mark.parametrize(
    "said",
    [
        "RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's "
        "workers are out of shared memory. Please try to raise your shared memory limit.",
        "RuntimeError: unable to write to file </torch_12_345_6>: No space left on device (28)",
    ],
)
def test_shared_memory_that_is_full(said: str) -> None:
    log = LogFacts("g", "s", seen("g"), seen(("epoch 1", said), "logs:GetLogEvents"))
    found = diagnose_batch_job(batch_facts(job_status="FAILED", job_exit_code=1, log=log), "name")
    assert codes(found) == ["shared-memory-full"]
    assert "sharedMemorySize" in found.findings[0].fix


def test_the_last_lines_are_evidence_and_a_stream_that_is_not_there_is_said() -> None:
    there = LogFacts("g", "s", seen("g"), seen(("one", "two"), "logs:GetLogEvents"))
    found = diagnose_batch_job(batch_facts(job_status="FAILED", job_exit_code=1, log=there), "name")
    assert found.findings[0].evidence[1].value == "one\ntwo"
    for group, code in ((seen("g"), "log-stream-missing"), (absent(), "log-group-missing")):
        gone = LogFacts("g", "s", group, absent())
        assert codes(diagnose_batch_job(batch_facts(job_status="FAILED", job_exit_code=1, log=gone), "name")) == [
            "exit-code",
            code,
        ]


def test_dependencies() -> None:
    other = OtherJob("a", "other", "RUNNABLE", "x")
    waiting = batch_facts(job_status="PENDING", job_depends_on=("a", "b"), dependencies=seen((other,)))
    assert codes(diagnose_batch_job(waiting, "name")) == ["dependency-gone", "dependency-pending"]
    denied = batch_facts(job_status="PENDING", job_depends_on=("a",), dependencies=refused("batch:DescribeJobs"))
    assert codes(diagnose_batch_job(denied, "name")) == ["could-not-look"]


def test_a_job_nobody_may_describe_is_not_called_well() -> None:
    facts = BatchFacts(NOW, refused("batch:DescribeJobs"), absent(), absent())
    found = diagnose_batch_job(facts, "name")
    assert (found.state, codes(found)) == ("unknown", ["could-not-look"])


def test_image_uris() -> None:
    digest = f"sha256:{'0' * 64}"
    assert parse_ecr_uri("python:3") is None
    parts = parse_ecr_uri(IMAGE)
    assert parts is not None
    assert (parts.name, parts.repository_arn) == ("app:v1", "arn:aws:ecr:us-east-1:111111111111:repository/app")
    by_digest = parse_ecr_uri(f"111111111111.dkr.ecr.us-east-1.amazonaws.com/a/b@{digest}")
    assert by_digest is not None
    assert by_digest.name == f"a/b@{digest}"


def test_quota_codes_by_family_and_market() -> None:
    assert ec2_quota_code(("m5.large", "c5.large"), spot=True) == "L-34B43A08"
    assert ec2_quota_code(("g5.xlarge",), spot=False) == "L-DB2E81BA"
    assert ec2_quota_code(("m5.large", "g5.xlarge"), spot=False) == ""
