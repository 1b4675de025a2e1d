"""An array job of 1,000 `/bin/true`, sandboxed and with every state durable, against `xargs -P`."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time

from figures import Figure, timed
from twins import ScratchTwin, scratch_twin, training_role

SIZE = 1000
_CORES = len(os.sched_getaffinity(0))
POLL_SECONDS = 0.05
"""Between two looks at the array. Each look costs both sides some milliseconds; half an interval counts against us."""
IMAGE = "public.ecr.aws/docker/library/python:{}"


def measure() -> list[Figure]:
    with scratch_twin() as twin:
        training_role(twin, "bench-arrays")
        definition = prepare(twin, image())
        run_array(twin, definition, "warm-up", 100)
        pairs = [(run_array(twin, definition, f"array-{n}", SIZE), timed(xargs)) for n in range(3)]
    ours, bound = (statistics.median(column) for column in zip(*pairs, strict=True))
    return [
        Figure(
            f"array of {SIZE:,} /bin/true", ours, f"xargs -P{_CORES}", bound, "0.5 of what xargs starts",
            bound / ours >= 0.5, better="higher", note=f"{SIZE / ours:.0f} a second",
        )
    ]  # fmt: skip


def image() -> str:
    """The image that this interpreter can stand for."""
    return IMAGE.format(".".join(platform.python_version_tuple()[:2]))


def xargs() -> None:
    numbers = "\n".join(map(str, range(SIZE)))
    subprocess.run(["xargs", f"-P{_CORES}", "-n1", "/bin/true"], input=numbers, text=True, check=True)


def prepare(twin: ScratchTwin, image: str) -> str:
    """A compute environment, a queue and a definition; gives the definition's name."""
    batch, ec2 = twin.client("batch"), twin.client("ec2")
    twin.client("iam").create_instance_profile(InstanceProfileName="bench")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    batch.create_compute_environment(
        computeEnvironmentName="bench", type="MANAGED",
        computeResources={"type": "EC2", "maxvCpus": 16, "instanceTypes": ["m5.large"], "subnets": [subnet],
                          "securityGroupIds": [group], "instanceRole": "bench"},
    )  # fmt: skip
    batch.create_job_queue(
        jobQueueName="bench", priority=1, computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "bench"}]
    )
    resources = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
    batch.register_job_definition(
        jobDefinitionName="bench", type="container",
        containerProperties={"image": image, "command": ["/bin/true"], "resourceRequirements": resources},
    )  # fmt: skip
    return "bench"


def run_array(twin: ScratchTwin, definition: str, name: str, size: int) -> float:
    """Seconds from SubmitJob until the parent has SUCCEEDED."""
    batch = twin.client("batch")
    batch.describe_job_queues()  # the connection is open before the clock starts
    started = time.perf_counter()
    submitted = batch.submit_job(
        jobName=name, jobQueue="bench", jobDefinition=definition, arrayProperties={"size": size}
    )
    deadline = started + 120
    while time.perf_counter() < deadline:
        job = batch.describe_jobs(jobs=[submitted["jobId"]])["jobs"][0]
        if job["status"] == "SUCCEEDED":
            return time.perf_counter() - started
        if job["status"] == "FAILED":
            raise SystemExit(f"the array failed: {job}")
        time.sleep(POLL_SECONDS)
    raise SystemExit(f"the array did not end within 120 s: {job['arrayProperties']}")
