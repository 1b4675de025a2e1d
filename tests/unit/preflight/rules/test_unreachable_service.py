from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.preflight.draft import Draft, draft_of, only
from tests.unit.preflight.small_vpc import batch, gateway, group, group_id, interface, nat, public, ref, resource, vpc
from trainworks.preflight.finding import Severity
from trainworks.preflight.rule import Fault
from trainworks.preflight.rules.unreachable_service import RULE, find
from trainworks.preflight.settings import CheckSettings

Platform = Callable[[str], Draft]


def _faults(*pieces: dict[str, Any]) -> list[Fault]:
    template = {key: value for piece in pieces for key, value in piece.items()}
    graph = draft_of({"Parameters": {"Anything": {"Type": "String"}}, "Resources": template}).graph()
    return list(find(graph, CheckSettings()))


def test_hosts_without_a_public_address(platform: Platform) -> None:
    draft = platform("dev")
    for name in ("Network/Vpc/PublicSubnet1/Subnet", "Network/Vpc/PublicSubnet2/Subnet"):
        draft.properties(name)["MapPublicIpOnLaunch"] = False
    (found,) = only(draft, RULE)
    assert found.is_error
    assert found.place == "Batch/Spot"
    assert "ecs-agent" in found.message
    assert "of no use without a public address" in found.message


def test_hosts_behind_no_nat_gateway(platform: Platform) -> None:
    draft = platform("staging")
    template = draft.template("Network")
    routes = [name for name, body in template["Resources"].items() if "NatGatewayId" in body.get("Properties", {})]
    for name in routes:
        del template["Resources"][name]
    found = only(draft, RULE)
    assert {each.place for each in found} == {"Batch/Spot", "Training/Notebook"}
    assert any("internet: it cannot clone its repository" in each.message for each in found)


def test_an_endpoint_that_the_hosts_need_is_gone(platform: Platform) -> None:
    draft = platform("prod")
    draft.remove("Network/EcsAgentEndpoint")
    found = only(draft, RULE)
    assert {each.place for each in found} == {"Batch/Spot", "Batch/OnDemand"}
    assert all("cannot reach ecs-agent" in each.message for each in found)
    assert found[0].fix.startswith("interface endpoints for ecs-agent")


def test_training_without_the_s3_gateway(platform: Platform) -> None:
    draft = platform("prod")
    draft.remove("Network/Vpc/S3")
    assert {each.place for each in only(draft, RULE)} == {"TrainingJobConfig", "Batch/Spot", "Batch/OnDemand"}


def test_private_names_switched_off(platform: Platform) -> None:
    draft = platform("prod")
    draft.properties("Network/EcrApiEndpoint")["PrivateDnsEnabled"] = False
    assert "private DNS of Network/EcrApiEndpoint is off" in only(draft, RULE)[0].message


def test_an_endpoint_policy_that_shuts_out_the_layers_of_images(platform: Platform) -> None:
    draft = platform("prod")
    statements = draft.properties("Network/Vpc/S3")["PolicyDocument"]["Statement"]
    statements[:] = [each for each in statements if "starport" not in str(each["Resource"])]
    found = only(draft, RULE)
    assert {each.place for each in found} == {"Batch/Spot", "Batch/OnDemand"}
    assert "cannot pull its image" in found[0].message
    assert "starport-layer-bucket/*" in found[0].fix


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Principal": "*", "Action": "s3:Get*", "Resource": "arn:aws:s3:::prod-*"},
        {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": ref("Anything")},
    ],
)
def test_endpoint_policies_that_let_the_layers_through(statement: dict[str, Any]) -> None:
    endpoint = gateway()
    endpoint["Gateways3"]["Properties"]["PolicyDocument"] = {"Statement": [statement]}
    endpoints = [interface(each) for each in ("ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "ecr.dkr", "logs")]
    assert _faults(vpc(), endpoint, *endpoints, batch()) == []


def test_one_of_several_subnets_is_enough() -> None:
    other = {"Other": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.2.0/24")}
    hosts = batch()
    hosts["Hosts"]["Properties"]["ComputeResources"]["Subnets"].append(ref("Other"))
    (fault,) = _faults(vpc(), nat(), other, hosts)
    assert "Other cannot reach" in fault.message


def test_hosts_behind_a_nat_gateway() -> None:
    assert _faults(vpc(), nat(), batch()) == []


def test_a_launch_template_decides_on_the_address() -> None:
    template = resource(
        "EC2::LaunchTemplate",
        LaunchTemplateData={"NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": True}]},
    )
    hosts = batch()
    assert len(_faults(vpc(), public(), hosts)) == 1
    hosts["Hosts"]["Properties"]["ComputeResources"]["LaunchTemplate"] = {"LaunchTemplateId": ref("Launch")}
    assert _faults(vpc(), public(), hosts, {"Launch": template}) == []


def test_a_public_image_needs_the_internet() -> None:
    endpoints = [interface(each) for each in ("ecs", "ecs-agent", "ecs-telemetry", "logs")]
    (fault,) = _faults(vpc(), gateway(), *endpoints, batch(Image="busybox"))
    assert "internet: it cannot pull its image" in fault.message
    assert "NAT gateway" in fault.fix


def test_jobs_that_do_not_log_to_cloudwatch_need_no_logs() -> None:
    endpoints = [interface(each) for each in ("ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "ecr.dkr")]
    (fault,) = _faults(vpc(), gateway(), *endpoints, batch())
    assert "cannot reach logs" in fault.message
    assert _faults(vpc(), gateway(), *endpoints, batch(LogConfiguration={"LogDriver": "json-file"})) == []


def _service(assign: str, **task: Any) -> dict[str, Any]:
    container = {"Name": "app", "Image": "111111111111.dkr.ecr.eu-west-1.amazonaws.com/app:1", **task}
    network = {"AwsvpcConfiguration": {"Subnets": [ref("Subnet")], "AssignPublicIp": assign}}
    return {
        "Task": resource("ECS::TaskDefinition", RequiresCompatibilities=["FARGATE"], ContainerDefinitions=[container]),
        "Service": resource(
            "ECS::Service", LaunchType="FARGATE", TaskDefinition=ref("Task"), NetworkConfiguration=network
        ),
    }


def test_tasks_on_fargate() -> None:
    assert _faults(vpc(), public(), _service("ENABLED")) == []
    (fault,) = _faults(vpc(), public(), _service("DISABLED"))
    assert "cannot reach ecr.api, ecr.dkr, s3" in fault.message


def test_secrets_of_tasks() -> None:
    secret = {"Name": "S", "ValueFrom": "arn:aws:secretsmanager:eu-west-1:111111111111:secret:s"}
    endpoints = [gateway(), interface("ecr.api"), interface("ecr.dkr")]
    (fault,) = _faults(vpc(), *endpoints, _service("DISABLED", Secrets=[secret]))
    assert "cannot reach secretsmanager" in fault.message


def _notebook(script: str = "", **properties: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "SubnetId": ref("Subnet"),
        "SecurityGroupIds": [group_id("Group")],
        "InstanceType": "ml.t3.medium",
        "RoleArn": "arn:aws:iam::111111111111:role/notebook",
        "DirectInternetAccess": "Disabled",
        "LifecycleConfigName": {"Fn::GetAtt": ["Start", "NotebookInstanceLifecycleConfigName"]},
        **properties,
    }
    content = base64.b64encode(script.encode()).decode()
    return {
        "Notebook": resource("SageMaker::NotebookInstance", **settings),
        "Start": resource("SageMaker::NotebookInstanceLifecycleConfig", OnStart=[{"Content": content}]),
        **group("Group"),
    }


def test_what_a_notebook_can_do_without_is_a_warning() -> None:
    (fault,) = _faults(vpc(), gateway(), _notebook())
    assert fault.severity is Severity.WARNING
    assert "sagemaker.api, sagemaker.runtime, sts, logs" in fault.message


@pytest.mark.parametrize(
    "script",
    [
        "aws sagemaker stop-notebook-instance --notebook-instance-name x",
        "python -c \"import boto3; boto3.client('sagemaker').stop_notebook_instance()\"",
        'subprocess.run(["aws", "sagemaker", "stop-notebook-instance"])',
    ],
)
def test_what_its_script_calls_is_an_error(script: str) -> None:
    errors = [fault for fault in _faults(vpc(), gateway(), _notebook(script)) if fault.severity is None]
    assert len(errors) == 1
    assert "cannot reach sagemaker.api" in errors[0].message


def test_what_its_script_downloads() -> None:
    script = "curl -s http://localhost:8443/api\nwget https://raw.githubusercontent.com/x/autostop.py"
    faults = _faults(vpc(), gateway(), _notebook(script))
    assert any("download what its lifecycle script asks for" in fault.message for fault in faults)
    assert not any(
        "download" in fault.message for fault in _faults(vpc(), gateway(), _notebook(script.split("\n", maxsplit=1)[0]))
    )


def test_a_notebook_with_internet_of_its_own() -> None:
    assert _faults(vpc(), _notebook(DirectInternetAccess="Enabled")) == []


def test_an_interface_that_never_gets_an_address_in_a_public_subnet() -> None:
    function = resource(
        "Lambda::Function", VpcConfig={"SubnetIds": [ref("Subnet")], "SecurityGroupIds": [group_id("Group")]}
    )
    (fault,) = _faults(vpc(), public(), {"F": function}, group("Group"))
    assert fault.severity is Severity.WARNING
    assert "public subnet" in fault.message
    assert _faults(vpc(), nat(), {"F": function}, group("Group")) == []


def test_what_the_role_of_a_function_grants_in_vain() -> None:
    statements = [
        {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "logs:PutLogEvents"], "Resource": "*"},
        {"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "dynamodb:GetRecords", "s3:GetObject"], "Resource": "*"},
        {"Effect": "Deny", "Action": "ssm:*", "Resource": "*"},
    ]
    role = resource("IAM::Role", Policies=[{"PolicyName": "p", "PolicyDocument": {"Statement": statements}}])
    function = resource(
        "Lambda::Function",
        Role={"Fn::GetAtt": ["Role", "Arn"]},
        VpcConfig={"SubnetIds": [ref("Subnet")], "SecurityGroupIds": [group_id("Group")]},
    )
    pieces = (vpc(), gateway(), gateway("dynamodb"), {"F": function, "Role": role}, group("Group"))
    (fault,) = _faults(*pieces)
    assert fault.severity is Severity.WARNING
    assert "cannot reach secretsmanager (" in fault.message
    assert _faults(*pieces, interface("secretsmanager")) == []


@pytest.mark.parametrize("subnet", ["subnet-0123", ref("Anything"), {"Fn::ImportValue": "subnet"}])
def test_subnets_out_of_sight(subnet: Any) -> None:
    hosts = batch()
    hosts["Hosts"]["Properties"]["ComputeResources"]["Subnets"] = [subnet]
    assert _faults(vpc(), hosts) == []
