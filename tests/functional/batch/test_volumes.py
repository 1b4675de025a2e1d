"""Volumes, file systems in memory and limits of batch jobs, by boto3 on a real twin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.batch.test_jobs import Platform, script
from tests.functional.resources.test_stacks import NETWORK, Stack
from trainworks.testing import TestTwin

DATA = {"name": "data", "host": {"sourcePath": "/scratch/data"}}
MOUNTED = {"sourceVolume": "data", "containerPath": "/data"}


@pytest.fixture(scope="module")
def platform(twin: TestTwin) -> Iterator[Platform]:
    """Skipped where the machine has no namespaces, which volumes need."""
    made = Platform(twin)
    mounted = {"volumes": [{"name": "v"}], "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}
    reason = made.ended(made.submit(["true"], container=mounted))["container"].get("reason", "")
    if "needs namespaces" in reason:
        made.delete()
        pytest.skip(reason)
    yield made
    made.delete()


def ended(platform: Platform, command: list[str], container: dict[str, Any], **more: Any) -> Any:
    job = platform.ended(platform.submit(command, container=container, **more))
    assert job["status"] == "SUCCEEDED", (job["statusReason"], job["container"].get("reason"))
    return job


def test_a_host_volume_is_shared_by_the_jobs_of_an_instance_and_an_empty_one_is_not(platform: Platform) -> None:
    container = {
        "volumes": [DATA, {"name": "own", "host": {}}],
        "mountPoints": [MOUNTED, {"sourceVolume": "own", "containerPath": "/opt/app/own", "readOnly": False}],
    }
    first = ended(platform, script("open('/data/x', 'w').write('hello')", "open('/opt/app/own/y', 'w')"), container)
    read_only = {**container, "mountPoints": [{**MOUNTED, "readOnly": True}, container["mountPoints"][1]]}
    look = script(
        "import os",
        "print(open('/data/x').read(), os.listdir('/opt/app/own'))",
        "try: open('/data/x', 'a')",
        "except OSError as error: print(error.strerror)",
        "print('end')",
    )
    second = ended(platform, look, read_only)
    instances = [job["container"]["containerInstanceArn"] for job in (first, second)]
    assert instances[0] == instances[1]
    assert platform.output(second)[-3:] == ["hello []", "Read-only file system", "end"]
    shown = second["container"]
    assert (shown["volumes"], shown["mountPoints"]) == (read_only["volumes"], read_only["mountPoints"])
    (definition,) = platform.batch.describe_job_definitions(jobDefinitions=[second["jobDefinition"]])["jobDefinitions"]
    assert definition["containerProperties"]["mountPoints"] == read_only["mountPoints"]
    assert definition["containerProperties"]["volumes"] == read_only["volumes"]


def test_each_attempt_has_its_own_empty_volume(platform: Platform) -> None:
    container = {
        "volumes": [{**DATA, "host": {"sourcePath": "/retried"}}, {"name": "own"}],
        "mountPoints": [MOUNTED, {"sourceVolume": "own", "containerPath": "/own"}],
    }
    count = script(
        "import os, sys",
        "for folder in ('/own', '/data'): open(f'{folder}/{len(os.listdir(folder))}', 'x')",
        "print(sorted(os.listdir('/own')), sorted(os.listdir('/data')), 'end', flush=True)",
        "sys.exit(len(os.listdir('/data')) < 2)",
    )
    job = ended(platform, count, container, retryStrategy={"attempts": 3})
    assert len(job["attempts"]) == 2
    assert platform.output(job)[-1] == "['0'] ['0', '1'] end"


def test_a_program_of_a_volume_is_executed(platform: Platform) -> None:
    container = {"volumes": [DATA], "mountPoints": [{**MOUNTED, "containerPath": "/srv/tools"}]}
    make = script(
        "import os",
        "open('/srv/tools/run', 'w').write('#!/bin/sh\\necho made end\\n')",
        "os.chmod('/srv/tools/run', 0o755)",
    )
    ended(platform, make, container)
    assert platform.output(ended(platform, ["/srv/tools/run"], container))[-1] == "made end"
    missing = platform.ended(platform.submit(["/srv/tools/missing"], container=container))
    assert missing["status"] == "FAILED"
    assert missing["container"]["reason"] == "CannotStartContainerError: /srv/tools/missing: no such file"


def test_memory_and_limits_are_the_containers(platform: Platform) -> None:
    container = {
        "linuxParameters": {
            "sharedMemorySize": 96,
            "initProcessEnabled": True,
            "tmpfs": [{"containerPath": "/fast", "size": 16, "mountOptions": ["mode=1777", "rw", "exec"]}],
        },
        "ulimits": [{"name": "nofile", "softLimit": 99, "hardLimit": 123}],
    }
    look = script(
        "import os, resource",
        "sizes = [os.statvfs(path).f_blocks * os.statvfs(path).f_frsize >> 20 for path in ('/dev/shm', '/fast')]",
        "print(sizes, resource.getrlimit(resource.RLIMIT_NOFILE), 'end')",
    )
    job = ended(platform, look, container)
    assert platform.output(job)[-1] == "[96, 16] (99, 123) end"
    assert job["container"]["linuxParameters"] == container["linuxParameters"]
    plain = script("import os", "print(os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize >> 20, 'end')")
    assert platform.output(ended(platform, plain, {}))[-1] == "64 end"


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"mountPoints": [MOUNTED]}, "Unknown volume 'data'."),
        ({"volumes": [DATA, DATA]}, "Duplicate volume 'data'."),
        ({"volumes": [{**DATA, "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]}, "efsVolumeConfiguration"),
        ({"volumes": [{"name": "d", "host": {"sourcePath": "/var/run/docker.sock"}}]}, "a Docker socket"),
    ],
)
def test_volumes_that_are_refused(platform: Platform, container: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as error:
        platform.submit(["true"], container=container)
    assert error.value.response["Error"]["Code"] == "ClientException"


def test_what_a_job_asks_of_memory_troubles_no_other(platform: Platform) -> None:
    """Sizes beyond 64 bits, which the kernel would read as none at all."""
    huge = {"sharedMemorySize": 2**61, "tmpfs": [{"containerPath": "/fast", "size": 2**61}]}
    ended(platform, ["true"], {"linuxParameters": huge, "ulimits": [{"name": "core", "softLimit": 0, "hardLimit": -1}]})
    wrong = {"tmpfs": [{"containerPath": "/fast", "size": 1, "mountOptions": ["mode=x"]}]}
    failed = platform.ended(platform.submit(["true"], container={"linuxParameters": wrong}))
    reason = "CannotStartContainerError: /fast: tmpfs mode=x: invalid argument"
    assert (failed["status"], failed["container"]["reason"]) == ("FAILED", reason)
    plain = script("import os", "print(os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize >> 20, 'end')")
    assert platform.output(ended(platform, plain, {}))[-1] == "64 end"


def test_shared_memory_that_is_full_ends_a_job_with_a_bus_error(platform: Platform) -> None:
    """What data loaders of PyTorch meet on AWS: 64 MiB of /dev/shm where nothing is said."""
    fill = script(
        "import mmap, os",
        "file = open('/dev/shm/x', 'w+b')",
        "os.ftruncate(file.fileno(), 80 << 20)",
        "page = mmap.mmap(file.fileno(), 0)",
        "for place in range(0, 80 << 20, 4096): page[place] = 1",
    )
    job = platform.ended(platform.submit(fill, memory=512))
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 128 + 7), job
    ended(platform, fill, {"linuxParameters": {"sharedMemorySize": 100}}, memory=512)


def test_jobs_share_a_volume_over_the_death_of_the_server(platform: Platform, own_twin: TestTwin) -> None:
    platform = Platform(own_twin)
    container = {"volumes": [DATA], "mountPoints": [MOUNTED]}
    wait = script(
        "import os, time",
        "open('/data/here', 'x')",
        "while not os.path.exists('/data/answer'): time.sleep(0.05)",
    )
    waiting = platform.submit(wait, container=container)
    platform.until(waiting, lambda job: job["status"] == "RUNNING")
    own_twin.kill()
    own_twin.start()
    answer = script(
        "import os, time", "while not os.path.exists('/data/here'): time.sleep(0.05)", "open('/data/answer', 'x')"
    )
    ended(platform, answer, container)
    job = platform.ended(waiting)
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)


@pytest.fixture
def stack(twin: TestTwin) -> Iterator[Stack]:
    made = Stack(twin)
    yield made
    made.delete()


def test_a_stack_with_volumes_deploys_and_runs(platform: Platform, stack: Stack) -> None:
    container = {
        "Image": "python:3",
        "Command": script("open('/scratch/x', 'x')", "open('/fast/x', 'x')", "print('end')"),
        "ResourceRequirements": [{"Type": "VCPU", "Value": 1}, {"Type": "MEMORY", "Value": "128"}],
        "Volumes": [{"Name": "docker_scratch", "Host": {"SourcePath": "/docker_scratch"}}],
        "MountPoints": [{"ContainerPath": "/scratch", "ReadOnly": "false", "SourceVolume": "docker_scratch"}],
        "LinuxParameters": {"Tmpfs": [{"ContainerPath": "/fast", "Size": "8"}], "SharedMemorySize": 128},
        "Ulimits": [{"Name": "nofile", "SoftLimit": 200, "HardLimit": 200}],
    }
    properties = {"Type": "container", "PlatformCapabilities": ["EC2"], "ContainerProperties": container}
    resource = {"Type": "AWS::Batch::JobDefinition", "Properties": properties}
    arn = stack.put({**NETWORK, "Job": resource}, {"Arn": {"Ref": "Job"}})["Arn"]
    job_id = platform.batch.submit_job(jobName="job", jobQueue=platform.name, jobDefinition=arn)["jobId"]
    job = platform.ended(job_id)
    assert job["status"] == "SUCCEEDED", job
    assert platform.output(job)[-1] == "end"
    container["MountPoints"] = [{"ContainerPath": "/scratch", "SourceVolume": "other"}]
    with pytest.raises(AssertionError, match="Unknown volume 'other'"):
        stack.put({**NETWORK, "Job": resource}, {"Arn": {"Ref": "Job"}})
