"""`check`, `doctor` and the twin are asked about one world, which is deployed from the template that `check` reads.

Each builds its facts by its own means: from the template, from what the API describes, from its state. The twin answers
as a user meets it: by the first line of a job's log, and by what a role's calls get.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.functional.sagemaker.test_boto3 import Platform, make_platform
from tests.functional.sagemaker.test_image_making import ended
from tests.unit.preflight.small_vpc import Resources, default_route, interface, ref, resource
from tests.unit.twin.services.sagemaker.doubles import archive
from trainworks.assembly.graph import Graph, graph_of_template
from trainworks.aws.iam.partial.endpoints import lets_through
from trainworks.aws.iam.partial.evaluation import PartialDecision
from trainworks.aws.iam.partial.permissions import role_context, session_of
from trainworks.aws.iam.partial.trust import may_assume
from trainworks.aws.reach import Reach, VpcEndpoint
from trainworks.aws.security_groups import SecurityGroups, Side
from trainworks.aws.service_needs import INTERNET
from trainworks.doctor.looking import Looker, could_not_look, not_asked
from trainworks.doctor.network import look_at_network
from trainworks.doctor.reachability import acl_stopping, answer
from trainworks.doctor.roles import PermissionQuestion, judged, look_at_role
from trainworks.preflight.network import network_of
from trainworks.preflight.permissions import permissions_of
from trainworks.preflight.resource_policies import resource_policies_of
from trainworks.preflight.security_groups import security_groups_of
from trainworks.testing import TestTwin
from trainworks.twin.home import ACCOUNT_ID, DEFAULT_REGION

FILES: dict[str, str | bytes] = {"train.py": "print('word')", "requirements.txt": "--no-index\n"}
SERVICES = ("s3", "dynamodb", "logs", "ecs", INTERNET)
GROUPS = ("Open", "Inside", "Closed", "Doors")
a_few = settings(
    max_examples=2,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def deployed(
    twin: TestTwin, resources: Mapping[str, Any], there: Mapping[str, Any] | None = None
) -> tuple[Graph, dict[str, str]]:
    """The graph of the template, and the physical ids that its resources have got. `there`: made before by the API."""
    template = {"Resources": dict(resources)}
    cloudformation, name = twin.client("cloudformation"), f"same-{uuid.uuid4().hex[:8]}"
    body = json.dumps(template)
    cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    waiting = {"Delay": 1, "MaxAttempts": 120}
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=waiting)
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    ids = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
    }
    whole = {"Resources": {**resources, **(there or {})}}
    return graph_of_template(whole, name=name, account=ACCOUNT_ID, region=DEFAULT_REGION), ids


ROUTES: dict[str, dict[str, Any]] = {
    "no table": {},
    "local": {},
    "internet": {"GatewayId": ref("Internet")},
    "nat": {"NatGatewayId": ref("Nat")},
    "lost nat": {"NatGatewayId": ref("LostNat")},
    "private nat": {"NatGatewayId": ref("PrivateNat")},
    "peering": {"VpcPeeringConnectionId": "pcx-0123456789abcdef0"},
}
_ANY = "0.0.0.0/0"
_OUT = (True, "tcp", (443, 443), _ANY, "allow")
_BACK = (False, "tcp", (1024, 65535), _ANY, "allow")
ACLS: dict[str, tuple[tuple[bool, str, tuple[int, int], str, str], ...]] = {
    "default": (),
    "both ways": (_OUT, _BACK),
    "no answers": (_OUT, (False, "tcp", (443, 443), _ANY, "allow")),
    "answers to Windows": (_OUT, (False, "tcp", (49152, 65535), _ANY, "allow")),
    "inside": ((True, "-1", (0, 0), "10.8.0.0/16", "allow"), (False, "-1", (0, 0), "10.8.0.0/16", "allow")),
    "denied": ((True, "tcp", (400, 500), _ANY, "deny"), _OUT, _BACK),
    "too late": (_OUT, _BACK, (True, "tcp", (400, 500), _ANY, "deny")),
    "UDP": ((True, "udp", (443, 443), _ANY, "allow"), _BACK),
}
"""Entries in the order of their numbers: egress, protocol, ports, block, action."""
_EVERYBODY = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
POLICIES: tuple[list[dict[str, Any]], ...] = (
    [_EVERYBODY],
    [{**_EVERYBODY, "Resource": "arn:aws:s3:::nobodys-bucket/*"}],
    [{**_EVERYBODY, "Action": ["s3:List*", "s3:Get*"]}],
    [_EVERYBODY, {**_EVERYBODY, "Effect": "Deny", "Action": "s3:PutObject"}],
    [{**_EVERYBODY, "Condition": {"StringEquals": {"aws:PrincipalAccount": "999999999999"}}}],
    [{**_EVERYBODY, "Principal": {"AWS": ACCOUNT_ID}}],
)
subnets = st.tuples(st.sampled_from(sorted(ROUTES)), st.booleans())
endpoints = st.fixed_dictionaries(
    {
        "logs": st.sampled_from((None, True, False)),  # private DNS
        "dynamodb": st.sampled_from((None, True)),
        "host_names": st.booleans(),
        "guard": st.sampled_from(GROUPS),
        "acls": st.lists(st.sampled_from(sorted(ACLS)), min_size=4, max_size=4),
        "policy": st.sampled_from(range(len(POLICIES))),
    }
)


def vpc(chosen: list[tuple[str, bool]], settings_: Mapping[str, Any]) -> Resources:
    """A VPC with a subnet for each of `chosen`: its route, and whether the S3 gateway serves its table."""
    in_vpc = {"VpcId": ref("Vpc")}
    resources: Resources = {
        "Vpc": resource("EC2::VPC", CidrBlock="10.8.0.0/16", EnableDnsHostnames=settings_["host_names"]),
        "Internet": resource("EC2::InternetGateway"),
        "Attachment": resource("EC2::VPCGatewayAttachment", InternetGatewayId=ref("Internet"), **in_vpc),
        "Address": resource("EC2::EIP", Domain="vpc"),
        "Public": resource("EC2::Subnet", CidrBlock="10.8.200.0/24", **in_vpc),
        "Subnet": resource("EC2::Subnet", CidrBlock="10.8.201.0/24", **in_vpc),
        "PublicTable": resource("EC2::RouteTable", **in_vpc),
        "PublicRoute": {
            **default_route("PublicTable", GatewayId=ref("Internet")),
            "DependsOn": "Attachment",
        },
        "PublicAssociation": association("Public", "PublicTable"),
        "Nat": nat("Public", AllocationId={"Fn::GetAtt": ["Address", "AllocationId"]}),
        "LostNat": nat("Subnet", AllocationId={"Fn::GetAtt": ["Address", "AllocationId"]}),
        "PrivateNat": nat("Public", ConnectivityType="private"),
        "Open": security_group(),
        "Inside": security_group(SecurityGroupEgress=[https("10.8.0.0/16")]),
        "Closed": security_group(SecurityGroupEgress=[https("10.9.0.0/16")]),
        "Doors": security_group(SecurityGroupIngress=[https("10.8.0.0/21")]),
    }
    for number, (route, _) in enumerate(chosen):
        resources[f"Subnet{number}"] = resource("EC2::Subnet", CidrBlock=f"10.8.{number * 4}.0/24", **in_vpc)
        if route != "no table":
            resources[f"Table{number}"] = resource("EC2::RouteTable", **in_vpc)
            resources[f"Association{number}"] = association(f"Subnet{number}", f"Table{number}")
        if ROUTES[route]:
            body = default_route(f"Table{number}", **ROUTES[route])
            resources[f"Route{number}"] = {**body, "DependsOn": "Attachment"}
        entries = ACLS[settings_["acls"][number % len(settings_["acls"])]]
        if entries:
            resources |= network_acl(number, entries)
    tables = [ref(f"Table{number}") for number, (route, served) in enumerate(chosen) if served and route != "no table"]
    if tables:
        name = {"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"}
        policy = document(POLICIES[settings_["policy"]])
        given = {"ServiceName": name, "RouteTableIds": tables, "PolicyDocument": policy, **in_vpc}
        resources["Gateway"] = resource("EC2::VPCEndpoint", **given)
    for service in ("logs", "dynamodb"):
        if settings_[service] is not None:
            more = {"PrivateDnsEnabled": settings_[service], "SecurityGroupIds": [group_id(settings_["guard"])]}
            resources |= interface(service, **more)
    return resources


def network_acl(number: int, entries: tuple[tuple[bool, str, tuple[int, int], str, str], ...]) -> Resources:
    """The ACL of a subnet."""
    acl = f"Acl{number}"
    made = {
        acl: resource("EC2::NetworkAcl", VpcId=ref("Vpc")),
        f"AclOf{number}": resource(
            "EC2::SubnetNetworkAclAssociation", SubnetId=ref(f"Subnet{number}"), NetworkAclId=ref(acl)
        ),
    }
    numbers = {"-1": -1, "tcp": 6, "udp": 17}
    for order, (egress, protocol, (first, last), block, action) in enumerate(entries, start=1):
        ports = {} if protocol == "-1" else {"PortRange": {"From": first, "To": last}}
        made[f"Entry{number}x{order}"] = resource(
            "EC2::NetworkAclEntry", NetworkAclId=ref(acl), RuleNumber=order * 10, Egress=egress,
            Protocol=numbers[protocol], CidrBlock=block, RuleAction=action, **ports,
        )  # fmt: skip
    return made


def security_group(**rules: Any) -> dict[str, Any]:
    return resource("EC2::SecurityGroup", GroupDescription="g", VpcId=ref("Vpc"), **rules)


def nat(subnet: str, **more: Any) -> dict[str, Any]:
    return resource("EC2::NatGateway", SubnetId=ref(subnet), **more)


def association(subnet: str, table: str) -> dict[str, Any]:
    return resource("EC2::SubnetRouteTableAssociation", SubnetId=ref(subnet), RouteTableId=ref(table))


def https(cidr_block: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": cidr_block}


def group_id(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "GroupId"]}


@pytest.fixture(scope="module")
def platform(twin: TestTwin) -> Platform:
    return make_platform(twin)


HIDDEN = {"logs": False, "dynamodb": True, "host_names": True, "guard": "Doors",
          "acls": ["default", "both ways", "denied", "inside"], "policy": 3}  # fmt: skip
NAMELESS = {"logs": True, "dynamodb": None, "host_names": False, "guard": "Open",
            "acls": ["too late", "default", "no answers", "UDP"], "policy": 5}  # fmt: skip


@a_few
@example([("private nat", True), ("nat", False), ("lost nat", False), ("no table", False)], HIDDEN)
@example([("internet", False), ("peering", False), ("local", True), ("lost nat", True)], NAMELESS)
@given(chosen=st.lists(subnets, min_size=4, max_size=4, unique=True), settings_=endpoints)
def test_what_a_subnet_reaches(platform: Platform, chosen: list[tuple[str, bool]], settings_: dict[str, Any]) -> None:
    twin = platform.twin
    graph, ids = deployed(twin, vpc(chosen, settings_))
    names = [f"Subnet{number}" for number in range(len(chosen))]
    jobs = {name: started(platform, ids[name], ids["Open"]) for name in names}
    network = network_of(graph)
    seen = look_at_network(Looker(twin.client), [ids[name] for name in names], [ids[name] for name in GROUPS])
    assert not [each.what for each in could_not_look(seen) if "ListHostedZonesByVPC" not in each.what]
    described = {each.subnet_id: each for each in seen.subnets.value or ()}
    ours = security_groups_of(graph)
    theirs = SecurityGroups({each.group_id: each.rules for each in seen.groups.value or ()})
    blocks = {each.subnet_id: each.cidr_block for each in described.values()}
    checked: dict[tuple[str, str], Reach] = {}
    for name, service, address in product(names, SERVICES, (False, True)):
        subnet = network.subnet(graph.resource(name).physical_id)
        assert subnet is not None
        checks = network.reach(subnet, service, address)
        doctors = answer(seen, described[ids[name]], service, address)
        where = (chosen, settings_, name, service, address, checks.reason, doctors.reason)
        if service == "logs" and settings_["logs"] is False:
            # Doctor cannot ask the twin for private hosted zones, of which one may lead to the endpoint.
            assert doctors.reach in (checks.reach, Reach.UNKNOWN), where
            continue
        assert checks.reach is doctors.reach, where
        assert (checks.by is None) is (doctors.endpoint is None), where
        stop = acl_stopping(seen, described[ids[name]], service, address)
        assert (checks.stop is None) is (stop is None), (*where, stop)
        if checks.stop is not None and stop is not None:
            assert (checks.stop.outward, checks.stop.ports, checks.stop.peer) == (stop.outward, stop.ports, stop.peer)
        if not address:
            checked[name, service] = checks.reach if stop is None else Reach.NO
        if service == "s3" and checks.by is not None and doctors.endpoint is not None:
            assert refusals(checks.by, graph) == refusals(doctors.endpoint, graph), where
        # The endpoint is in `Subnet`, of which doctor was not told: either knows its addresses, or both do not.
        for group in GROUPS if checks.reach is Reach.YES else ():
            mine = Side((graph.resource(group).attribute("GroupId"),), subnet.cidr_block)
            stops = ours.stopped(mine, checks.by)
            assert stops == theirs.stopped(Side((ids[group],), blocks[ids[name]]), doctors.endpoint), (*where, group)
    for name, job in jobs.items():
        assert ended(job) == "Completed", job.log()
        words = (
            f"{ids[name]} has no route to the internet",
            f"{ids[name]} does not reach the internet, as the network",
        )
        said = next((line for line in job.log() if any(each in line for each in words)), "")
        assert bool(said) is (checked[name, INTERNET] is Reach.NO), (chosen, settings_, name, said)
        if said:
            no_data = "S3 is out of reach" in said
            assert no_data is (checked[name, "s3"] is Reach.NO), (chosen, settings_, name, said)


S3_ASKED = (("s3:GetObject", "arn:aws:s3:::data/in/*"), ("s3:PutObject", "arn:aws:s3:::models/out/*"))


def refusals(endpoint: VpcEndpoint, graph: Graph) -> list[PartialDecision]:
    """What the endpoint's policy says to a session of a role of the account."""
    session = session_of(f"arn:aws:iam::{ACCOUNT_ID}:role/job", ACCOUNT_ID)
    known = role_context(ACCOUNT_ID, graph.region)
    return [lets_through(endpoint.policy, endpoint.is_gateway, session, *each, known) for each in S3_ASKED]


def started(platform: Platform, subnet_id: str, group: str) -> Platform:
    """A job in the subnet whose script says one word. Of the internet a job is told that installs packages."""
    job = Platform(platform.twin, platform.role_arn, platform.data, platform.models, f"net-{uuid.uuid4().hex[:10]}")
    key = "code/word.tar.gz"
    platform.client("s3").put_object(Bucket=platform.models, Key=key, Body=archive(FILES))
    request = job.request(VpcConfig={"Subnets": [subnet_id], "SecurityGroupIds": [group]})
    request["HyperParameters"]["sagemaker_submit_directory"] = f"s3://{platform.models}/{key}"
    platform.client("sagemaker").create_training_job(**request)
    return job


ACTIONS = ("s3:GetObject", "s3:PutObject")
KEYS = ("a/1", "b/1")
CONDITIONS: tuple[dict[str, Any], ...] = (
    {},
    {"StringEquals": {"aws:RequestedRegion": DEFAULT_REGION}},
    {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT_ID}},
    {"Bool": {"aws:SecureTransport": "true"}},
    {"StringLike": {"aws:RequestedRegion": ["eu-*", "us-*"], "aws:PrincipalAccount": "*"}},
)


def statements(bucket: str) -> st.SearchStrategy[dict[str, Any]]:
    actions = st.lists(st.sampled_from((*ACTIONS, "s3:Get*", "S3:*OBJECT", "*")), min_size=1, max_size=2, unique=True)
    arn = f"arn:aws:s3:::{bucket}"
    patterns = ("*", f"{arn}/*", f"{arn}/a/*", f"{arn}/?/1", f"{arn}/b/1", f"{arn[:-2]}*/b/*", "arn:aws:s3:::other/*")
    resources = st.lists(st.sampled_from(patterns), min_size=1, max_size=2, unique=True)
    return st.builds(
        lambda effect, named, given_actions, kind, given_resources, condition: {
            "Effect": effect,
            named: given_actions,
            kind: given_resources,
            **({"Condition": condition} if condition else {}),
        },
        st.sampled_from(("Allow", "Allow", "Allow", "Deny")),
        st.sampled_from(("Action", "Action", "Action", "NotAction")),
        actions,
        st.sampled_from(("Resource", "Resource", "Resource", "NotResource")),
        resources,
        st.sampled_from(CONDITIONS),
    )


def bucket_statements(bucket: str) -> st.SearchStrategy[dict[str, Any]]:
    """With a Principal; those that name the account bind its root too, who may correct the policy all the same."""
    principals = st.sampled_from(("*", {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}, {"AWS": ACCOUNT_ID}))
    resources = st.sampled_from((f"arn:aws:s3:::{bucket}/*", f"arn:aws:s3:::{bucket}/a/*"))
    named = st.sampled_from(("s3:GetObject", "s3:Put*"))
    return st.builds(
        lambda effect, who, action, on, condition: {
            "Effect": effect,
            "Principal": who,
            "Action": action,
            "Resource": on,
            **({"Condition": condition} if condition else {}),
        },
        st.sampled_from(("Allow", "Deny")),
        principals,
        named,
        resources,
        st.sampled_from(CONDITIONS),
    )


def document(given_statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": given_statements}


TRUSTS: tuple[dict[str, Any], ...] = (
    {},
    {"StringEquals": {"aws:SourceAccount": ACCOUNT_ID}},
    {"StringEquals": {"aws:SourceAccount": "999999999999"}},
)


def roles(
    bucket: str, user_arn: str, drawn: list[tuple[list[Any], list[Any], list[Any] | None, int]], path: str
) -> Resources:
    """A role for each of `drawn`: inline, attached and boundary statements, and the condition of its trust."""
    made: Resources = {}
    for number, (inline, attached, boundary, trust) in enumerate(drawn):
        properties: dict[str, Any] = {
            "Path": path,
            "AssumeRolePolicyDocument": document(
                [
                    {"Effect": "Allow", "Principal": {"AWS": user_arn}, "Action": "sts:AssumeRole"},
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "sagemaker.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                        "Condition": TRUSTS[trust],
                    },
                ]
            ),
        }
        if inline:
            properties["Policies"] = [{"PolicyName": "own", "PolicyDocument": document(inline)}]
        for kind, given_statements in (("Attached", attached), ("Boundary", boundary)):
            if given_statements:
                name = f"{kind}{number}"
                made[name] = resource("IAM::ManagedPolicy", Path=path, PolicyDocument=document(given_statements))
                arns = {"Attached": {"ManagedPolicyArns": [ref(name)]}, "Boundary": {"PermissionsBoundary": ref(name)}}
                properties |= arns[kind]
        made[f"Role{number}"] = resource("IAM::Role", **properties)
    return made


BUCKET = f"one-answer-{uuid.uuid4().hex[:8]}"
lists = st.lists(statements(BUCKET), min_size=1, max_size=2)
some_roles = st.lists(
    st.tuples(lists, st.one_of(st.just([]), lists), st.one_of(st.none(), lists), st.integers(0, len(TRUSTS) - 1)),
    min_size=8,
    max_size=8,
)


@pytest.fixture(scope="module")
def user(twin: TestTwin) -> tuple[str, boto3.Session]:
    """An IAM user that may assume roles, and a bucket with an object at each of the keys."""
    iam, s3 = twin.client("iam"), twin.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key in KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    arn = str(iam.create_user(UserName=BUCKET)["User"]["Arn"])
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    iam.put_user_policy(UserName=BUCKET, PolicyName="assume", PolicyDocument=json.dumps(document([allow])))
    key = iam.create_access_key(UserName=BUCKET)["AccessKey"]
    return arn, boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=DEFAULT_REGION)


@a_few
@given(drawn=some_roles, own=st.lists(bucket_statements(BUCKET), max_size=3))
def test_what_a_role_may_do(
    twin: TestTwin, user: tuple[str, boto3.Session], drawn: list[Any], own: list[dict[str, Any]]
) -> None:
    deploys = roles(BUCKET, user[0], drawn, "/one/answer/")
    there = {"Bucket": resource("S3::Bucket", BucketName=BUCKET)}
    if own:
        twin.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document(own)))
        there["Own"] = resource("S3::BucketPolicy", Bucket=ref("Bucket"), PolicyDocument=document(own))
    try:
        graph, ids = deployed(twin, deploys, there)
        alike(twin, user, graph, ids, drawn, bool(own))
    finally:
        twin.client("s3").delete_bucket_policy(Bucket=BUCKET)


def alike(  # noqa: PLR0917 - two builders of facts, and what they are about
    twin: TestTwin,
    user: tuple[str, boto3.Session],
    graph: Graph,
    ids: Mapping[str, str],
    drawn: list[Any],
    bucket_has_policy: bool,
) -> None:
    """All say the same of every role and question."""
    bucket = graph.resource("Bucket")
    sts, iam = twin.client("sts", user[1]), twin.client("iam")
    questions = [
        PermissionQuestion(action, f"arn:aws:s3:::{BUCKET}/{key}", "") for action, key in product(ACTIONS, KEYS)
    ]
    for number in range(len(drawn)):
        name = f"Role{number}"
        arn = iam.get_role(RoleName=ids[name])["Role"]["Arn"]
        role = graph.resource(name)
        facts = look_at_role(Looker(twin.client), arn, questions, DEFAULT_REGION)
        assert facts.policies.value is not None, facts.policies
        assert facts.role.value is not None, facts.role
        simulated = {(each.action, each.resource): each.decision for each in facts.simulated.value or ()}
        unasked = not_asked("iam:SimulatePrincipalPolicy", facts.role.at)
        session = sts.assume_role(RoleArn=arn, RoleSessionName="same")["Credentials"]
        given_keys = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
        s3 = twin.client("s3", boto3.Session(*given_keys, region_name=DEFAULT_REGION))
        for question in questions:
            said = resource_policies_of(graph).role_may(role, question.action, bucket, question.resource, {})
            where = json.dumps(
                [drawn[number], question.action, question.resource, simulated[question.action, question.resource]]
            )
            assert said is judged(facts, question)[0], where
            assert said is judged(replace(facts, simulated=unasked), question)[0], where
            assert said in (PartialDecision.YES, PartialDecision.NO), where
            assert may(s3, question) is (said is PartialDecision.YES), where
            if not bucket_has_policy:
                assert (simulated[question.action, question.resource] == "allowed") is (said is PartialDecision.YES), (
                    where
                )
        trusted = may_assume(permissions_of(graph).trust(role), "sagemaker.amazonaws.com", arn, ACCOUNT_ID)
        assert trusted is may_assume(facts.role.value.trust, "sagemaker.amazonaws.com", arn, ACCOUNT_ID)
        assert trusted is (PartialDecision.NO if drawn[number][3] == 2 else PartialDecision.YES)


def may(s3: Any, question: PermissionQuestion) -> bool:
    """Whether the call is let through."""
    key = question.resource.partition("/")[2]
    calls = {
        "s3:GetObject": lambda: s3.get_object(Bucket=BUCKET, Key=key),
        "s3:PutObject": lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=b"x"),
    }
    try:
        calls[question.action]()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
        return False
    return True
