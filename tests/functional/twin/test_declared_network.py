"""`twin.network`: what jobs in subnets of a VPC reach, by boto3 and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.functional.batch.test_jobs import Platform as BatchPlatform
from tests.functional.sagemaker.test_boto3 import Platform, make_platform
from tests.functional.sagemaker.test_image_making import ended
from tests.functional.sagemaker.test_requirements import Index
from tests.unit.twin.services.sagemaker.training.doubles import archive

from trainworks.testing import TestTwin

LOOKS = """\
import socket, sys, threading, boto3
s3 = boto3.client("s3")
def get(found):
    found.append(len(s3.get_object(Bucket={bucket!r}, Key="large")["Body"].read()))
found = []
threads = [threading.Thread(target=get, args=[found]) for _ in range(4)]
[each.start() for each in threads], [each.join() for each in threads]
print("endpoint", found, flush=True)
with socket.socket() as asked:
    asked.settimeout(20)
    print("index", "reached" if asked.connect_ex(("127.0.0.1", {port})) == 0 else "not reached", flush=True)
"""
SIZE = 3_000_000


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    served = Index(tmp_path)
    yield served
    served.close()


@pytest.fixture
def declared(own_network: None, own_twin: TestTwin) -> TestTwin:
    return own_twin


@pytest.fixture
def own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINWORKS_NETWORK", "declared")


class Vpc:
    """A VPC with a subnet that leads nowhere, and one that leads to a NAT gateway in a public one."""

    def __init__(self, twin: TestTwin) -> None:
        ec2 = twin.client("ec2")
        self.id = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=self.id, CidrBlock=f"10.7.{each}.0/24")["Subnet"]["SubnetId"] for each in range(3)
        ]
        self.closed, self.open, public = subnets
        self.group = ec2.create_security_group(GroupName=self.id, Description="g", VpcId=self.id)["GroupId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.id)
        nat = ec2.create_nat_gateway(SubnetId=public, ConnectivityType="public")["NatGateway"]["NatGatewayId"]
        for subnet, target in ((self.open, {"NatGatewayId": nat}), (public, {"GatewayId": gateway})):
            table = ec2.create_route_table(VpcId=self.id)["RouteTable"]["RouteTableId"]
            ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        self.public = public


def start(platform: Platform, name: str, files: dict[str, str | bytes], vpc: Vpc, subnet: str, **more: Any) -> Platform:
    unique = f"{name}-{platform.models}"
    key = f"code/{unique}.tar.gz"
    platform.client("s3").put_object(Bucket=platform.models, Key=key, Body=archive(files))
    job = Platform(platform.twin, platform.role_arn, platform.data, platform.models, unique)
    request = job.request(VpcConfig={"Subnets": [subnet], "SecurityGroupIds": [vpc.group]}, **more)
    request["HyperParameters"]["sagemaker_submit_directory"] = f"s3://{platform.models}/{key}"
    platform.client("sagemaker").create_training_job(**request)
    return job


def platform_with_object(twin: TestTwin) -> Platform:
    platform = make_platform(twin)
    platform.client("s3").put_object(Bucket=platform.data, Key="large", Body=bytes(SIZE))
    role = platform.role_arn.rpartition("/")[2]
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{platform.data}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    platform.client("iam").put_role_policy(RoleName=role, PolicyName="large", PolicyDocument=document)
    return platform


def test_declared_routes_hold_jobs_and_the_endpoint_stays(declared: TestTwin, index: Index) -> None:
    platform, vpc = platform_with_object(declared), Vpc(declared)
    script = LOOKS.format(bucket=platform.data, port=index.server.server_port)
    files: dict[str, str | bytes] = {"train.py": script}
    closed, free = (start(platform, name, files, vpc, subnet) for name, subnet in (("c", vpc.closed), ("o", vpc.open)))
    assert [ended(closed), ended(free)] == ["Completed", "Completed"], closed.log()
    assert {f"endpoint {[SIZE] * 4}", "index not reached"} <= set(closed.log())
    assert closed.log()[0].startswith(
        f"network (declared): subnet {vpc.closed} has no route to the internet: pip finds"
    )
    assert {f"endpoint {[SIZE] * 4}", "index reached"} <= set(free.log())
    assert free.log()[0] == f"network (declared): subnet {vpc.open} leads to the internet"
    # No kept installation helps a job that could not make it; what lies beside requirements.txt does.
    wanting = {**files, "requirements.txt": "tinypkg==1.0\n"}
    job = start(platform, "p", wanting, vpc, vpc.closed, Environment={**index.variables, "PIP_TIMEOUT": "5"})
    reason = job.failure()
    assert reason.startswith(
        "AlgorithmError: InstallRequirementsError: pip could not install /opt/ml/code/requirements."
    )
    assert reason.count("exit code") == 1
    assert index.downloads == []


def test_host_lets_jobs_out_and_says_what_aws_would_not(twin: TestTwin, index: Index) -> None:
    platform, vpc = platform_with_object(twin), Vpc(twin)
    script = LOOKS.format(bucket=platform.data, port=index.server.server_port)
    ec2 = twin.client("ec2")
    of_vpc = [{"Name": "vpc-id", "Values": [vpc.id]}, {"Name": "association.main", "Values": ["true"]}]
    [main] = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
    ec2.create_vpc_endpoint(
        VpcId=vpc.id, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[main["RouteTableId"]]
    )
    installing: dict[str, str | bytes] = {"train.py": script, "requirements.txt": "--no-index\n"}
    job, plain = (
        start(platform, name, files, vpc, vpc.closed)
        for name, files in (("h", installing), ("n", {"train.py": script}))
    )
    assert [ended(job), ended(plain)] == ["Completed", "Completed"], job.log()
    assert {f"endpoint {[SIZE] * 4}", "index reached"} <= set(plain.log())
    said = f"network (host): this machine's; on AWS subnet {vpc.closed} has no route to the internet: pip"
    assert job.log()[0].startswith(said)
    assert not any("network (" in line for line in plain.log()), "nobody who installs nothing is told of routes"


def test_batch_jobs_are_held_too(declared: TestTwin, index: Index) -> None:
    queue = BatchPlatform(declared)
    ask = (
        "import os, socket; "
        f"tell = lambda port: socket.socket().connect_ex(('127.0.0.1', port)) == 0; "
        f"print('index', tell({index.server.server_port}), "
        "'endpoint', tell(int(os.environ['AWS_ENDPOINT_URL'].rpartition(':')[2])))"
    )
    job = queue.ended(queue.submit(["sh", "-c", f'python -c "{ask}"; echo end'], memory=512))
    log = queue.output(job)
    assert "index False endpoint True" in log, log
    assert any("network (declared): " in line for line in log)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[twin]\nnetwork = "bridge"\n', "trainworks.toml:2: twin.network: is 'bridge'; allowed: host or declared"),
        ('[twin]\nnetworks = "host"\n', "trainworks.toml:2: twin.networks: unknown key; allowed: network"),
    ],
)
def test_what_is_no_setting_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "trainworks.toml").write_text(text)
    command = [
        sys.executable,
        "-m",
        "trainworks.cli.main",
        "twin",
        "start",
        "--port",
        "0",
        "--home",
        str(tmp_path / "h"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr.replace("\n", " ").replace("  ", " ")
