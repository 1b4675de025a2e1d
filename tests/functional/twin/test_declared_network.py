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
from tests.unit.twin.services.sagemaker.doubles import archive

from trainworks.doctor.finding import Outcome
from trainworks.doctor.looking import Looker
from trainworks.doctor.training.causes import diagnose_training_job
from trainworks.doctor.training.look import look_at_training_job
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
    """A VPC with a subnet that leads to S3 alone, one that leads nowhere, and one to a NAT gateway in a public one."""

    def __init__(self, twin: TestTwin) -> None:
        ec2 = twin.client("ec2")
        self.id = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=self.id, CidrBlock=f"10.7.{each}.0/24")["Subnet"]["SubnetId"] for each in range(4)
        ]
        self.closed, self.open, public, self.island = subnets
        self.table = ec2.create_route_table(VpcId=self.id)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.closed)
        name = "com.amazonaws.us-east-1.s3"
        made = ec2.create_vpc_endpoint(VpcId=self.id, ServiceName=name, RouteTableIds=[self.table])
        self.gateway = made["VpcEndpoint"]["VpcEndpointId"]
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


ASKS = """\
import os, boto3
from botocore.exceptions import ClientError
def said(call, **given):
    try:
        call(**given)
    except ClientError as error:
        return error.response["Error"]["Code"] + ": " + error.response["Error"]["Message"]
    return "let through"
s3 = boto3.client("s3")
print("data:", said(s3.get_object, Bucket={bucket!r}, Key="large"), flush=True)
print("other:", said(s3.get_object, Bucket={bucket!r}, Key="other"), flush=True)
print("who:", said(boto3.client("sts").get_caller_identity), flush=True)
again = boto3.client("sts").assume_role(RoleArn={role!r}, RoleSessionName="again")["Credentials"]
names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
other = boto3.Session(*(again[name] for name in names)).client("s3")
print("again:", said(other.get_object, Bucket={bucket!r}, Key="other"), flush=True)
print("log:", said(boto3.client("logs").create_log_stream, logGroupName="/aws/sagemaker/TrainingJobs",
                   logStreamName="own-" + os.environ["TRAINING_JOB_NAME"]), flush=True)
"""


def test_requests_have_to_pass_the_endpoints_that_they_come_through(declared: TestTwin) -> None:
    """A gateway for S3, whose policy leaves an object out, and an endpoint of Logs, whose policy denies streams."""
    platform, vpc = platform_with_object(declared), Vpc(declared)
    platform.client("s3").put_object(Bucket=platform.data, Key="other", Body=b"x")
    iam, role = platform.client("iam"), platform.role_arn.rpartition("/")[2]
    principals = {"Service": "sagemaker.amazonaws.com", "AWS": platform.role_arn}
    trust = {"Effect": "Allow", "Principal": principals, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(
        RoleName=role, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    ec2 = declared.client("ec2")
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    passing = [
        {**everybody, "NotResource": f"arn:aws:s3:::{platform.data}/other"},
        {**everybody, "Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{platform.data}/denied"},
    ]
    del passing[0]["Resource"]
    document = json.dumps({"Version": "2012-10-17", "Statement": passing})
    ec2.modify_vpc_endpoint(VpcEndpointId=vpc.gateway, PolicyDocument=document)
    ec2.modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": True})
    ec2.create_vpc_endpoint(
        VpcId=vpc.id,
        VpcEndpointType="Interface",
        ServiceName="com.amazonaws.us-east-1.logs",
        SubnetIds=[vpc.closed],
        PrivateDnsEnabled=True,
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [everybody, {**everybody, "Effect": "Deny", "Action": "logs:*"}]}
        ),
    )
    files: dict[str, str | bytes] = {"train.py": ASKS.format(bucket=platform.data, role=platform.role_arn)}
    # The log is SageMaker's to write, from its own network: the endpoint's policy does not keep it from that.
    job, free = (start(platform, name, files, vpc, subnet) for name, subnet in (("g", vpc.closed), ("n", vpc.open)))
    assert [ended(job), ended(free)] == ["Completed", "Completed"], (job.log(), free.log())
    told = {line.partition(": ")[0]: line.partition(": ")[2] for line in job.log()}
    assert told["data"] == "let through"
    assert told["who"] == "let through"
    assert told["other"].startswith("AccessDenied: User: arn:aws:sts::")
    assert told["other"].endswith(
        f"is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::{platform.data}/other "
        "because no VPC endpoint policy allows the s3:GetObject action"
    )
    assert told["again"].endswith("because no VPC endpoint policy allows the s3:GetObject action")
    assert told["log"].endswith("with an explicit deny in a VPC endpoint policy")
    others = {line.partition(": ")[0]: line.partition(": ")[2] for line in free.log()}
    assert others["other"] == "let through", "a NAT gateway leads past the endpoints"
    assert others["log"].endswith("with an explicit deny in a VPC endpoint policy"), (
        "private DNS leads all of a VPC to its endpoint"
    )
    # What the policy lets nobody read, the job's own input and output among it, fails the job.
    nothing = {"Version": "2012-10-17", "Statement": [{**everybody, "Action": "s3:ListBucket"}]}
    ec2.modify_vpc_endpoint(VpcEndpointId=vpc.gateway, PolicyDocument=json.dumps(nothing))
    failed = start(platform, "f", files, vpc, vpc.closed)
    assert "because no VPC endpoint policy allows the s3:GetObject action" in failed.failure()


def test_a_job_without_a_way_to_s3_fails_as_on_aws(declared: TestTwin) -> None:
    """No route, and a network ACL that lets no answers in. Doctor names each, and nothing else."""
    platform, vpc = platform_with_object(declared), Vpc(declared)
    ec2 = declared.client("ec2")
    files: dict[str, str | bytes] = {"train.py": "print('never')"}
    allow = {"Effect": "Allow", "Action": ["ec2:*", "ecr:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    role = platform.role_arn.rpartition("/")[2]
    platform.client("iam").put_role_policy(RoleName=role, PolicyName="join", PolicyDocument=document)
    lost = start(platform, "i", files, vpc, vpc.island)
    assert "route to an S3 VPC endpoint or a NAT device" in lost.failure()
    acl = ec2.create_network_acl(VpcId=vpc.id)["NetworkAcl"]["NetworkAclId"]
    anywhere = {"NetworkAclId": acl, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
    ports = {"From": 443, "To": 443}
    for egress in (True, False):
        ec2.create_network_acl_entry(RuleNumber=1, Egress=egress, Protocol="6", PortRange=ports, **anywhere)
    [held] = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [vpc.closed]}])[
        "NetworkAcls"
    ]
    own = next(each for each in held["Associations"] if each["SubnetId"] == vpc.closed)
    ec2.replace_network_acl_association(AssociationId=own["NetworkAclAssociationId"], NetworkAclId=acl)
    stopped = start(platform, "a", files, vpc, vpc.closed)
    assert "network ACL" in stopped.failure()
    looker = Looker(declared.client)
    for job, code, named in ((lost, "s3-unreachable", vpc.island), (stopped, "acl-closed", acl)):
        found = diagnose_training_job(look_at_training_job(looker, job.name), job.name).causes
        assert found[0].code == "s3-unreachable"
        assert code in [each.code for each in found]
        problems = {each.code for each in found if each.outcome is Outcome.PROBLEM}
        assert problems == {"s3-unreachable", code}, found
        assert any(named in each.what for each in found)
    entry = {"NetworkAclId": acl, "RuleNumber": 2, "Egress": False, "Protocol": "6", "RuleAction": "allow"}
    ec2.create_network_acl_entry(**entry, CidrBlock="0.0.0.0/0", PortRange={"From": 1024, "To": 65535})
    assert ended(start(platform, "b", files, vpc, vpc.closed)) == "Completed"
