"""Answers in XML: whatever a request holds, a client can read the answer, and reads back what it had stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import ResponseParserError
from tests.functional.twin.iam import allow, document, new, trusting

from trainworks.testing import TestTwin

SERVICES = ("cloudformation", "cloudwatch", "ec2", "iam", "sns", "sqs", "sts")
TEXTS = (
    """'"<>&""",
    "<b a='1'>&amp; &lt; &#65; </b>",
    "</Description></value></Value><member>",
    "one\r\ntwo\rthree\n\tfour",
    "é 漢 \U0001f600 ]]> <![CDATA[ <!-- <?xml",
)
BROKEN = 500
UNREADABLE = "\x00\x01\x0b\x1f\ufffe\uffff"
IMAGE = {"ImageId": "ami-12345678"}


def filled(shape: Shape | None, text: str, depth: int = 0) -> Any:
    """A value with the text wherever the shape has one."""
    if isinstance(shape, StructureShape):
        return {name: filled(each, text, depth + 1) for name, each in shape.members.items() if depth < 4}
    if isinstance(shape, ListShape):
        return [filled(shape.member, text, depth + 1)]
    if isinstance(shape, MapShape):
        return {text: filled(shape.value, text, depth + 1)}
    if shape is None or shape.type_name == "string":
        return shape.enum[0] if shape is not None and getattr(shape, "enum", None) else text
    return {"boolean": False, "timestamp": 1_700_000_000, "blob": b"x"}.get(shape.type_name, 1)


@pytest.mark.parametrize("service", SERVICES)
def test_the_answer_of_every_operation_can_be_read(twin: TestTwin, service: str) -> None:
    # What the calls change is in a region of their own.
    elsewhere = twin.session(region_name="eu-west-3")
    client, wrong = twin.client(service, elsewhere, parameter_validation=False), {}
    text = "".join(TEXTS) + UNREADABLE
    model = client.meta.service_model
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        whole = {} if shape is None else filled(shape, text)
        least = {name: value for name, value in whole.items() if shape is not None and name in shape.required_members}
        for given in (whole, least):
            try:
                getattr(client, xform_name(operation))(**given)
            except ClientError as error:
                if error.response["Error"]["Code"] == "NotImplemented":
                    break
                if error.response["ResponseMetadata"]["HTTPStatusCode"] >= BROKEN:
                    wrong[operation, len(given)] = str(error)
            except ResponseParserError as error:
                wrong[operation, len(given)] = str(error)
    assert not wrong


def stored(twin: TestTwin, text: str) -> Iterator[tuple[str, Any]]:
    """What each place gives back in which the text was stored, of those where AWS takes any text."""
    iam, sns, ec2 = (twin.client(name) for name in ("iam", "sns", "ec2"))
    tag = [{"Key": "key", "Value": text}]

    name = new("xml")
    trust = trusting({"Service": "lambda.amazonaws.com"})
    if text.isascii():
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Description=text)
        yield "description of a role", iam.get_role(RoleName=name)["Role"]["Description"]
        found = iam.get_paginator("list_roles").paginate().search(f"Roles[?RoleName=='{name}'].Description")
        yield "description of a role, listed", next(iter(found))
        arn = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("s3:*")), Description=text)["Policy"][
            "Arn"
        ]
        yield "description of a policy", iam.get_policy(PolicyArn=arn)["Policy"]["Description"]

    topic = sns.create_topic(Name=name, Tags=tag)["TopicArn"]
    yield "tag of a topic", sns.list_tags_for_resource(ResourceArn=topic)["Tags"][0]["Value"]

    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=tag)
    yield "tag of a network", ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"][0]["Value"]
    listed = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])["Tags"]
    yield "tag, listed", listed[0]["Value"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[subnet], Tags=tag)
    yield "tag of a subnet", ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["Tags"][0]["Value"]
    group = ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
    ec2.create_tags(Resources=[group], Tags=tag)
    yield "tag of a group", ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["Tags"][0]["Value"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_tags(Resources=[table], Tags=tag)
    yield "tag of routes", ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Tags"][0]["Value"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.create_tags(Resources=[gateway], Tags=tag)
    told = ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"][0]
    yield "tag of a gateway", told["Tags"][0]["Value"]
    ec2.create_launch_template(LaunchTemplateName=name, VersionDescription=text, LaunchTemplateData=IMAGE)
    version = ec2.describe_launch_template_versions(LaunchTemplateName=name)["LaunchTemplateVersions"][0]
    yield "version of a template", version["VersionDescription"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_read_back_as_it_was_stored(twin: TestTwin, text: str) -> None:
    assert {place: given for place, given in stored(twin, text) if given != text} == {}


def test_an_alarm_and_a_stack_tell_their_texts(twin: TestTwin) -> None:
    cloudwatch, cloudformation = twin.client("cloudwatch"), twin.client("cloudformation")
    name, text = new("xml"), TEXTS[0] + TEXTS[1]
    cloudwatch.put_metric_alarm(
        AlarmName=name + text,
        AlarmDescription=text,
        Namespace="xml",
        MetricName=text,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    alarm = cloudwatch.describe_alarms(AlarmNames=[name + text])["MetricAlarms"][0]
    assert (alarm["AlarmName"], alarm["AlarmDescription"], alarm["MetricName"]) == (name + text, text, text)
    template = {"Description": text, "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template), Tags=[{"Key": "k", "Value": text}])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert (stack["Description"], stack["Tags"][0]["Value"]) == (text, text)
