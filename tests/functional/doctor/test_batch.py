"""Batch jobs with something really wrong with them, on a running twin: the first cause is the right one."""

from __future__ import annotations

import boto3
import pytest

from tests.functional.doctor.conftest import Bench, allow, document
from trainworks.application.doctor_subject import diagnose_named
from trainworks.doctor.finding import Outcome
from trainworks.doctor.looking import Looker
from trainworks.errors import RequestError


def blocked(bench: Bench, job_id: str) -> None:
    bench.until(job_id, lambda job: job["status"] == "RUNNABLE" and job.get("statusReason"))


def test_a_job_larger_than_any_instance(bench: Bench) -> None:
    bench.queue(instance_types=("m5.large", "c5.xlarge"))
    job_id = bench.submit(["true"], vcpus=4, memory=60_000)
    blocked(bench, job_id)
    found = bench.diagnose(job_id)
    first = found.findings[0]
    assert (first.code, first.outcome, found.exit_code) == ("job-too-large", Outcome.PROBLEM, 1)
    assert "60000 MiB" in first.what
    assert "m5.4xlarge" in first.fix or "r5.2xlarge" in first.fix
    shown = " ".join(evidence.value for evidence in first.evidence)
    assert "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT" in shown
    assert "instanceTypes=m5.large,c5.xlarge" in shown


def test_a_gpu_job_where_no_instance_has_one(bench: Bench) -> None:
    bench.queue()
    job_id = bench.submit(["true"], gpus=1)
    blocked(bench, job_id)
    first = bench.first(job_id)
    assert first.code == "job-too-large"
    assert "g4dn.xlarge" in first.fix


def test_more_vcpus_than_the_environment_may_have(bench: Bench) -> None:
    bench.queue(max_vcpus=2, instance_types=("m5.4xlarge",))
    job_id = bench.submit(["true"], vcpus=4)
    blocked(bench, job_id)
    first = bench.first(job_id)
    assert first.code == "job-exceeds-max-vcpus"
    assert "at most 2 vCPUs" in first.fix


def test_by_name_and_behind_others(bench: Bench) -> None:
    bench.queue()
    head = bench.submit(["true"], gpus=1, name=f"{bench.name}-head")
    blocked(bench, head)
    bench.until(head, lambda job: True)
    second = bench.submit(["true"], gpus=2, name=f"{bench.name}-second")
    blocked(bench, second)
    found = bench.diagnose(f"{bench.name}-second")
    place = next(finding for finding in found.findings if finding.code == "behind-others")
    assert head in place.fix
    assert "position 2" in place.evidence[0].value


def test_a_disabled_environment(bench: Bench) -> None:
    bench.queue()
    bench.batch.update_compute_environment(computeEnvironment=bench.name, state="DISABLED")
    job_id = bench.submit(["true"])
    bench.until(job_id, lambda job: job["status"] == "RUNNABLE")
    first = bench.first(job_id)
    assert first.code == "environment-disabled"
    assert first.fix.endswith(f"--compute-environment {bench.name} --state ENABLED")


def test_a_disabled_queue_is_said_beside_the_cause(bench: Bench) -> None:
    bench.queue()
    job_id = bench.submit(["true"], gpus=1)
    blocked(bench, job_id)
    bench.batch.update_job_queue(jobQueue=bench.name, state="DISABLED")
    codes = [finding.code for finding in bench.diagnose(job_id).causes]
    assert codes[0] == "job-too-large"
    assert "queue-disabled" in codes


def test_an_environment_that_became_invalid(bench: Bench) -> None:
    bench.queue()
    update = {"subnets": ["subnet-0123456789abcdef0"]}
    bench.batch.update_compute_environment(computeEnvironment=bench.name, computeResources=update)
    job_id = bench.submit(["true"])
    blocked(bench, job_id)
    found = bench.diagnose(job_id)
    first = found.findings[0]
    assert first.code == "environment-invalid"
    assert "subnet-0123456789abcdef0" in first.what
    assert "ACTION_REQUIRED - CE(s) associated with the job queue are invalid." in first.evidence[-1].value


def test_an_instance_profile_that_is_not_there(bench: Bench) -> None:
    bench.queue()
    iam = bench.twin.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName=bench.name, RoleName=f"{bench.name}-host")
    iam.delete_instance_profile(InstanceProfileName=bench.name)
    job_id = bench.submit(["true"], gpus=1)
    blocked(bench, job_id)
    codes = [finding.code for finding in bench.diagnose(job_id).causes]
    assert codes[:2] == ["job-too-large", "instance-profile-missing"]


def test_a_subnet_without_a_route_is_seen_until_it_has_one(bench: Bench) -> None:
    bench.queue()
    job_id = bench.submit(["true"], gpus=1)
    blocked(bench, job_id)
    unreachable = [f for f in bench.diagnose(job_id).causes if f.code == "service-unreachable"]
    assert len(unreachable) == 1
    services = "ecs, ecs-agent, ecs-telemetry, the internet, logs"
    assert f"cannot reach {services} from {bench.subnet_id}" in unreachable[0].what
    assert f"{bench.table_id}): 0.0.0.0/0 -> no route" in unreachable[0].evidence[0].value
    bench.way_out()
    assert [f.code for f in bench.diagnose(job_id).causes if "unreachable" in f.code] == []


def test_a_subnet_whose_addresses_are_used_up(bench: Bench) -> None:
    ec2 = bench.twin.client("ec2")
    small = ec2.create_subnet(VpcId=bench.vpc_id, CidrBlock="10.7.2.0/28")["Subnet"]
    assert small["AvailableIpAddressCount"] == 11
    bench.subnet_id = small["SubnetId"]
    interfaces = [
        ec2.create_network_interface(SubnetId=bench.subnet_id)["NetworkInterface"]["NetworkInterfaceId"]
        for _ in range(11)
    ]
    bench.queue()
    job_id = bench.submit(["true"], gpus=1)
    blocked(bench, job_id)
    full = [finding for finding in bench.diagnose(job_id).causes if finding.code == "subnets-full"]
    assert [finding.evidence[0].value for finding in full] == [f"{bench.subnet_id} AvailableIpAddressCount=0"]
    ec2.delete_network_interface(NetworkInterfaceId=interfaces[0])
    assert "subnets-full" not in [finding.code for finding in bench.diagnose(job_id).causes]


def test_an_image_that_was_never_pushed(bench: Bench) -> None:
    bench.queue()
    bench.twin.client("ecr").create_repository(repositoryName=bench.name)
    image = f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{bench.name}:v1"
    job_id = bench.submit(["true"], container={"image": image})
    bench.until(job_id, lambda job: job["status"] == "FAILED")
    first = bench.first(job_id)
    assert first.code == "image-missing"
    assert image in first.what


def test_exit_code_memory_and_command(bench: Bench) -> None:
    bench.queue()
    failing = bench.submit(["python", "-c", "print('the last line'); raise SystemExit(3)"])
    hungry = bench.submit(["python", "-c", "data = bytearray(400_000_000); import time; time.sleep(20)"], memory=64)
    absent = bench.submit(["no-such-program"])
    for job_id in (failing, hungry, absent):
        bench.until(job_id, lambda job: job["status"] == "FAILED")
    assert bench.first(failing).code == "exit-code"
    assert "exit code 3" in bench.first(failing).what
    assert bench.first(hungry).code == "out-of-memory"
    assert bench.first(absent).code == "container-start-failed"


def test_a_dependency_that_does_not_end_and_one_that_failed(bench: Bench) -> None:
    bench.queue()
    stuck = bench.submit(["true"], gpus=1)
    waits = bench.submit(["true"], dependsOn=[{"jobId": stuck}])
    bench.until(waits, lambda job: job["status"] == "PENDING")
    first = bench.first(waits)
    assert (first.code, first.outcome) == ("dependency-pending", Outcome.WARNING)
    assert first.fix == f"see why: trainworks doctor {stuck}"
    bench.batch.cancel_job(jobId=stuck, reason="not needed")
    bench.until(waits, lambda job: job["status"] == "FAILED")
    assert bench.first(waits).code == "dependency-failed"
    assert bench.first(stuck).code == "stopped-by-request"


def test_an_array_is_told_by_its_child(bench: Bench) -> None:
    bench.queue()
    parent = bench.submit(["python", "-c", "raise SystemExit(4)"], arrayProperties={"size": 2})
    bench.until(parent, lambda job: job["status"] == "FAILED")
    first = bench.first(parent)
    assert first.code == "exit-code"
    assert first.what.startswith("child ")
    assert bench.first(f"{parent}:1").code == "exit-code"


def test_whom_iam_lets_look_at_little_is_told_what_could_not_be_looked_at(bench: Bench) -> None:
    bench.queue()
    job_id = bench.submit(["true"], gpus=1)
    blocked(bench, job_id)
    iam = bench.twin.client("iam")
    iam.create_user(UserName=bench.name)
    iam.put_user_policy(
        UserName=bench.name, PolicyName="own", PolicyDocument=document(allow(["batch:Describe*", "batch:List*"], "*"))
    )
    key = iam.create_access_key(UserName=bench.name)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    looker = Looker(lambda service: session.client(service, endpoint_url=bench.twin.endpoint_url))  # type: ignore[call-overload]
    found = diagnose_named(job_id, bench.environment, looker)
    assert found.findings[0].code == "job-too-large"
    unseen = {f.evidence[0].call.partition(" ")[0]: f for f in found.findings if f.code == "could-not-look"}
    assert {"iam:GetInstanceProfile", "ec2:DescribeSubnets"} <= set(unseen)
    assert "denied" in unseen["ec2:DescribeSubnets"].what
    assert unseen["ec2:DescribeSubnets"].fix == "grant ec2:DescribeSubnets to the user or role that runs doctor"


def test_what_is_right_is_no_problem_and_what_is_not_there_is_a_wrong_request(bench: Bench) -> None:
    bench.queue()
    job_id = bench.submit(["true"])
    bench.until(job_id, lambda job: job["status"] == "SUCCEEDED")
    found = bench.diagnose(job_id)
    assert (found.exit_code, [finding.outcome for finding in found.findings]) == (0, [Outcome.OK])
    with pytest.raises(RequestError, match="neither a job nor a stack 'nothing-of-this-name'"):
        bench.diagnose("nothing-of-this-name")
    with pytest.raises(RequestError, match="arn:x is neither a job nor a stack"):
        bench.diagnose("arn:x")
