"""What the profiles promise, asserted to the letter on their templates. What must not come back: `test_defects.py`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conftest import REGION
from tests.snapshot.defects.operations import TAGLESS, tags_of
from tests.snapshot.defects.storage import CREATE_ONLY_NAMES
from tests.snapshot.platform import Platform, Resource
from trainworks.config.profile import Egress, ProfileName

INTERFACE_ACTIONS = {
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
}


def subnets_with_route_to(platform: Platform, target: str) -> set[str]:
    """Subnets, as resolved references, whose route table has a route with `target` (`GatewayId`, `NatGatewayId`)."""
    tables = {
        platform.properties(route)["RouteTableId"]
        for route in platform.resources("AWS::EC2::Route")
        if target in route.properties
    }
    return {
        properties["SubnetId"]
        for association in platform.resources("AWS::EC2::SubnetRouteTableAssociation")
        if (properties := platform.properties(association))["RouteTableId"] in tables
    }


def buckets(platform: Platform) -> dict[str, dict[str, Any]]:
    return {each.logical_id: platform.properties(each) for each in platform.resources("AWS::S3::Bucket")}


def test_jobs_get_the_isolated_subnets(platform: Platform) -> None:
    subnets = platform.training_job_config()["VpcConfig"]["Subnets"]
    assert len(subnets) == len(platform.profile.network.zone_letters(REGION)) >= 2
    assert platform.outputs["PrivateSubnetIds"] == ",".join(subnets)
    known = {each.arn() for each in platform.resources("AWS::EC2::Subnet")}
    assert set(subnets) <= known


@pytest.mark.parametrize("name", ["TrainingRole", "NotebookRole"])
def test_sagemaker_roles_can_make_network_interfaces(platform: Platform, name: str) -> None:
    if name == "NotebookRole" and platform.profile.notebook is None:
        assert "NotebookRoleArn" not in platform.outputs
        return
    assert set(platform.role(name).allowed()) >= INTERFACE_ACTIONS


def test_training_role_may_place_interfaces_in_the_jobs_subnets(platform: Platform) -> None:
    resources = platform.role("TrainingRole").allowed()["ec2:CreateNetworkInterface"]
    vpc_config = platform.training_job_config()["VpcConfig"]
    for part in (*vpc_config["Subnets"], *vpc_config["SecurityGroupIds"]):
        assert any(resource.endswith(part) for resource in resources)


def test_the_job_config_is_a_valid_spot_request(platform: Platform) -> None:
    config = platform.training_job_config()
    condition = config["StoppingCondition"]
    assert config["EnableManagedSpotTraining"] is True
    assert condition["MaxRuntimeInSeconds"] == 86_400
    assert condition["MaxWaitTimeInSeconds"] == 172_800 >= condition["MaxRuntimeInSeconds"]
    assert not {"MaxRuntimeInSeconds", "MaxWaitTimeInSeconds"} & set(config)
    bucket = platform.outputs["ModelBucketName"]
    assert config["CheckpointConfig"]["S3Uri"] == f"s3://{bucket}/checkpoints/"
    assert config["OutputDataConfig"] == {
        "S3OutputPath": f"s3://{bucket}/output",
        "KmsKeyId": platform.outputs["DataKeyArn"],
    }


def test_the_training_role_can_resume_from_checkpoints(platform: Platform) -> None:
    allowed = platform.role("TrainingRole").allowed()
    bucket_arn = platform.resource("AWS::S3::Bucket", "ModelBucket").arn("Arn")
    for action in ("s3:GetObject", "s3:PutObject"):
        assert f"{bucket_arn}/checkpoints/*" in allowed[action]
    listing = [
        statement["Condition"]["StringLike"]["s3:prefix"]
        for statement in platform.role("TrainingRole").statements()
        if statement["Action"] == ["s3:ListBucket"] and statement["Resource"] == [bucket_arn]
    ]
    assert any("checkpoints/*" in prefixes for prefixes in listing)


def rules_of(platform: Platform, source: str) -> dict[str, dict[str, Any]]:
    """Rules on events of `source` by logical id, without the hash."""
    return {
        each.logical_id[:-8]: platform.properties(each)
        for each in platform.resources("AWS::Events::Rule")
        if source in each.properties.get("EventPattern", {}).get("source", [])
    }


def test_failed_and_interrupted_training_jobs_are_told(platform: Platform) -> None:
    topic, role = platform.resource("AWS::SNS::Topic"), {"RoleArn": [platform.outputs["TrainingRoleArn"]]}
    rules = rules_of(platform, "aws.sagemaker")
    assert {name: rule["EventPattern"]["detail"] for name, rule in rules.items()} == {
        "TrainingJobFailedRule": {"TrainingJobStatus": ["Failed"], **role},
        "TrainingJobInterruptedRule": {
            "TrainingJobStatus": ["InProgress"],
            "SecondaryStatus": ["Interrupted"],
            **role,
        },
    }
    for rule in rules.values():
        assert rule["EventPattern"]["detail-type"] == ["SageMaker Training Job State Change"]
        assert [target["Arn"] for target in rule["Targets"]] == [topic.arn()]
    assert platform.outputs["FailureTopicArn"] == topic.arn()


def test_failed_batch_jobs_lost_hosts_and_a_blocked_queue_are_told(platform: Platform) -> None:
    topic, rules = platform.resource("AWS::SNS::Topic"), rules_of(platform, "aws.batch")
    assert set(rules) == {"BatchJobFailedRule", "BatchJobHostLostRule", "BatchJobQueueBlockedRule"}
    for rule in rules.values():
        assert platform.outputs["JobQueueArn"] in json.dumps(rule["EventPattern"]["detail"])
        assert [target["Arn"] for target in rule["Targets"]] == [topic.arn()]


def test_alarms_count_the_events_of_failures_and_tell_the_same_topic(platform: Platform) -> None:
    topic = platform.resource("AWS::SNS::Topic")
    watched = set()
    for each in platform.resources("AWS::CloudWatch::Alarm"):
        alarm = platform.properties(each)
        assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Events", "MatchedEvents")
        assert alarm["AlarmActions"] == [topic.arn()]
        watched |= {(dimension["Name"], dimension["Value"]) for dimension in alarm["Dimensions"]}
    rules = [rule for rule in platform.resources("AWS::Events::Rule") if "JobFailed" in rule.logical_id]
    assert watched == {("RuleName", rule.arn()) for rule in rules}


def test_the_encrypted_topic_takes_messages_of_its_publishers(platform: Platform) -> None:
    key_reference = platform.properties(platform.resource("AWS::SNS::Topic"))["KmsMasterKeyId"]
    (key,) = [each for each in platform.resources("AWS::KMS::Key") if each.arn() == key_reference]
    publishers = {"events", "cloudwatch", "budgets", "costalerts"}
    of_key = [s for s in platform.properties(key)["KeyPolicy"]["Statement"] if s.get("Sid", "").startswith("Publish")]
    assert {service(each) for each in of_key} == publishers
    assert all({"kms:Decrypt", "kms:GenerateDataKey"} == set(each["Action"]) for each in of_key)

    of_topic = platform.properties(platform.resource("AWS::SNS::TopicPolicy"))["PolicyDocument"]["Statement"]
    assert {service(each) for each in of_topic if each["Effect"] == "Allow"} == publishers
    # EventBridge names no source when it publishes: a condition on one would lose every message.
    for statement in (*of_key, *(each for each in of_topic if each["Effect"] == "Allow")):
        assert ("Condition" in statement) is (service(statement) != "events")


def service(statement: dict[str, Any]) -> str:
    """The service that a statement of a resource's policy allows, without its domain."""
    return str(statement["Principal"]["Service"]).removesuffix(".amazonaws.com")


def test_the_dashboard_draws_metrics_that_exist(platform: Platform) -> None:
    dashboards = platform.resources("AWS::CloudWatch::Dashboard")
    assert len(dashboards) == int(platform.profile.monitoring.dashboard)
    for dashboard in dashboards:
        body = json.loads(platform.properties(dashboard)["DashboardBody"])
        metrics = [metric for widget in body["widgets"] for metric in widget["properties"].get("metrics", [])]
        expressions = [metric[0]["expression"] for metric in metrics if isinstance(metric[0], dict)]
        for name in ("CPUUtilization", "MemoryUtilization", "DiskUtilization", "GPUUtilization"):
            assert any(f'{{/aws/sagemaker/TrainingJobs,Host}} MetricName="{name}"' in each for each in expressions)
        rules = {metric[3] for metric in metrics if metric[:3] == ["AWS/Events", "MatchedEvents", "RuleName"]}
        assert rules == {
            rule.arn()
            for rule in platform.resources("AWS::Events::Rule")
            if "TrainingJob" in rule.logical_id or "BatchJob" in rule.logical_id
        }
        assert "ALL" not in json.dumps(metrics)
        # Batch's clusters contain the environment's name; in quotes only the very name would be found.
        clusters = [each for each in expressions if "AWS/ECS" in each]
        assert len(clusters) == 2 * len(platform.resources("AWS::Batch::ComputeEnvironment"))
        assert all(re.search(r'MetricName="\w+Reservation" ClusterName=[^"]', each) for each in clusters)


def test_what_holds_data_lives_as_long_as_the_profile_says(platform: Platform) -> None:
    expected = "Retain" if platform.profile.storage.retain else "Delete"
    for type_ in ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::ECR::Repository"):
        for resource in platform.resources(type_):
            assert resource.body["DeletionPolicy"] == resource.body["UpdateReplacePolicy"] == expected
    # A bucket that is left behind without its policy takes plain HTTP and no more access logs.
    policies = platform.resources("AWS::S3::BucketPolicy")
    assert len(policies) == len(buckets(platform)) == 3
    assert {each.body.get("DeletionPolicy", "Delete") for each in policies} == {expected}
    assert {each.body.get("UpdateReplacePolicy", "Delete") for each in policies} == {expected}


def test_prod_keeps_its_data_and_is_protected(prod: Platform, dev: Platform) -> None:
    assert prod.profile.storage.retain
    assert prod.assembly.termination_protection
    assert not dev.assembly.termination_protection


def test_no_role_can_pass_any_role_or_carries_a_broad_managed_policy(platform: Platform) -> None:
    for role in platform.roles():
        assert role.managed_policies() == []
        for statement in role.statements():
            if "iam:PassRole" in statement["Action"]:
                assert statement["Resource"] == [platform.outputs["TrainingRoleArn"]]
                assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_the_notebook_cannot_train_outside_the_vpc(dev: Platform) -> None:
    (denied,) = [each for each in dev.role("NotebookRole").statements() if each["Effect"] == "Deny"]
    assert denied["Action"] == ["sagemaker:CreateTrainingJob"]
    assert denied["Condition"] == {"Null": {"sagemaker:VpcSubnets": "true"}}
    jobs = dev.role("NotebookRole").allowed()["sagemaker:CreateTrainingJob"]
    assert all(resource.endswith(":training-job/dev-*") for resource in jobs)


def test_no_wildcard_actions_and_wildcard_resources_only_where_there_are_no_others(platform: Platform) -> None:
    without_resources = {
        "cloudwatch:PutMetricData",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeTags",
        "ec2:DescribeVpcs",
        "ecr:GetAuthorizationToken",
        "ecs:DiscoverPollEndpoint",
        "logs:DescribeLogGroups",
    }
    for role in platform.roles():
        for action, resources in role.allowed().items():
            assert "*" not in action
            if "*" in resources:
                assert action in without_resources


def test_jobs_and_notebook_are_isolated_and_batch_hosts_unreachable(platform: Platform) -> None:
    public = subnets_with_route_to(platform, "GatewayId")
    assert not public & set(platform.training_job_config()["VpcConfig"]["Subnets"])
    for notebook in platform.resources("AWS::SageMaker::NotebookInstance"):
        assert platform.properties(notebook)["SubnetId"] not in public

    for environment in platform.resources("AWS::Batch::ComputeEnvironment"):
        resources = platform.properties(environment)["ComputeResources"]
        # Only a profile that says so has a public address for outbound traffic; nobody can connect to one even then.
        in_public = bool(public & set(resources["Subnets"]))
        assert in_public is (platform.profile.network.egress is Egress.PUBLIC_IP)
        for group_id in resources["SecurityGroupIds"]:
            assert _ingress(platform, group_id) == []


def test_staging_and_prod_run_everything_in_private_subnets(platforms: dict[ProfileName, Platform]) -> None:
    for name in (ProfileName.STAGING, ProfileName.PROD):
        assert platforms[name].profile.network.egress is not Egress.PUBLIC_IP
    assert platforms[ProfileName.PROD].resources("AWS::EC2::InternetGateway") == []


def _ingress(platform: Platform, group_id: str) -> list[Any]:
    (group,) = [each for each in platform.resources("AWS::EC2::SecurityGroup") if each.arn("GroupId") == group_id]
    separate = [
        properties
        for rule in platform.resources("AWS::EC2::SecurityGroupIngress")
        if (properties := platform.properties(rule))["GroupId"] == group_id
    ]
    return [*platform.properties(group).get("SecurityGroupIngress", []), *separate]


def test_hosts_have_imdsv2_alone_encrypted_volumes_and_a_named_image(platform: Platform) -> None:
    template = platform.resource("AWS::EC2::LaunchTemplate")
    data = template.properties["LaunchTemplateData"]
    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    assert all(mapping["Ebs"]["Encrypted"] for mapping in data["BlockDeviceMappings"])
    assert [mapping["Ebs"]["VolumeSize"] for mapping in data["BlockDeviceMappings"]] == [30]
    for environment in platform.resources("AWS::Batch::ComputeEnvironment"):
        resources = platform.properties(environment)["ComputeResources"]
        reference = resources["LaunchTemplate"]
        assert reference == {"LaunchTemplateId": template.arn(), "Version": template.arn("LatestVersionNumber")}
        assert resources["Ec2Configuration"] == [{"ImageType": "ECS_AL2023"}]


def test_a_job_that_takes_its_hosts_credentials_can_do_next_to_nothing(platform: Platform) -> None:
    """A container on EC2 is in its host's network, and so within one hop of them."""
    (role,) = [each for each in platform.roles() if each.resource.logical_id.startswith("InstanceRole")]
    actions = set(role.allowed())
    assert {action.partition(":")[0] for action in actions} == {"ecs", "ec2", "logs"}
    assert {action for action in actions if not action.startswith("ecs:")} == {
        "ec2:DescribeTags", "logs:CreateLogStream", "logs:PutLogEvents",
    }  # fmt: skip
    assert not {"ecs:RunTask", "ecs:StartTask", "ecs:RegisterTaskDefinition"} & actions


def test_flow_logs_name_their_group_and_not_its_arn(platform: Platform) -> None:
    """The ARN that a log group gives ends in `:*`: EC2 accepts it and never delivers a record."""
    flow_log = platform.properties(platform.resource("AWS::EC2::FlowLog"))
    assert flow_log["LogGroupName"] == platform.resource("AWS::Logs::LogGroup", "FlowLog").arn()
    assert "LogDestination" not in flow_log


def test_what_waits_already_has_no_dependency_beside_it(platform: Platform) -> None:
    """A nested stack that takes an output of another one waits for it."""
    for stack in platform.resources("AWS::CloudFormation::Stack"):
        named = json.dumps(stack.properties)
        assert not [each for each in stack.body.get("DependsOn", []) if f'["{each}"' in named], stack.logical_id


def test_the_notebook_is_closed_encrypted_and_current(platform: Platform) -> None:
    notebooks = platform.resources("AWS::SageMaker::NotebookInstance")
    assert len(notebooks) == (1 if platform.profile.notebook else 0)
    for notebook in notebooks:
        properties = platform.properties(notebook)
        assert properties["DirectInternetAccess"] == "Disabled"
        assert properties["RootAccess"] == "Disabled"
        assert properties["PlatformIdentifier"] == "notebook-al2023-v1"
        assert properties["InstanceMetadataServiceConfiguration"] == {"MinimumInstanceMetadataServiceVersion": "2"}
        assert properties["KmsKeyId"] in {each.arn("Arn") for each in platform.resources("AWS::KMS::Key")}


def test_retention_is_set_where_sagemaker_writes(platform: Platform) -> None:
    assert platform.outputs["TrainingLogGroupName"] == "/aws/sagemaker/TrainingJobs"
    assert not any(
        "/aws/sagemaker" in json.dumps(each.properties) for each in platform.resources("AWS::Logs::LogGroup")
    )
    machine = platform.resource("AWS::StepFunctions::StateMachine", "TrainingLogRetention")
    states = json.loads(platform.properties(machine)["DefinitionString"])["States"]
    groups = [each["LogGroupName"] for each in states["Groups"]["Result"]]
    notebook = ["/aws/sagemaker/NotebookInstances"] if platform.profile.notebook else []
    assert groups == ["/aws/sagemaker/TrainingJobs", *notebook]
    assert states["Each"]["ItemProcessor"]["States"]["Set"]["Parameters"] == {
        "LogGroupName.$": "$.LogGroupName",
        "RetentionInDays": platform.profile.monitoring.training_log_retention_days,
    }
    (rule,) = [
        properties
        for each in platform.resources("AWS::Events::Rule")
        if machine.arn("Arn") in json.dumps((properties := platform.properties(each))["Targets"])
    ]
    assert rule["ScheduleExpression"] == "rate(1 day)"


def test_archived_artefacts_stay_readable(platform: Platform) -> None:
    rules = platform.properties(platform.resource("AWS::S3::Bucket", "ModelBucket"))["LifecycleConfiguration"]["Rules"]
    transitions = [transition for rule in rules for transition in rule.get("Transitions", [])]
    assert transitions == [
        {"StorageClass": "GLACIER_IR", "TransitionInDays": platform.profile.storage.artifact_archive_days}
    ]
    assert platform.profile.storage.artifact_archive_days == 180


def test_old_versions_and_broken_uploads_expire(platform: Platform) -> None:
    for properties in buckets(platform).values():
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        rules = [rule for rule in properties["LifecycleConfiguration"]["Rules"] if rule["Status"] == "Enabled"]
        assert any("NoncurrentVersionExpiration" in rule for rule in rules)
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


def test_buckets_take_only_tls_are_encrypted_and_logged(platform: Platform) -> None:
    log_bucket = platform.resource("AWS::S3::Bucket", "LogBucket")
    key_arns = {each.arn("Arn") for each in platform.resources("AWS::KMS::Key")}
    for bucket in platform.resources("AWS::S3::Bucket"):
        properties = platform.properties(bucket)
        assert all(properties["PublicAccessBlockConfiguration"].values())
        (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        if bucket != log_bucket:
            assert encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] in key_arns
            assert properties["LoggingConfiguration"]["DestinationBucketName"] == log_bucket.arn()
        assert _denies_plain_http(platform, bucket)


def _denies_plain_http(platform: Platform, bucket: Resource) -> bool:
    (policy,) = [
        properties
        for each in platform.resources("AWS::S3::BucketPolicy")
        if (properties := platform.properties(each))["Bucket"] == bucket.arn()
    ]
    return any(
        statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in policy["PolicyDocument"]["Statement"]
        if "Condition" in statement
    )


def test_the_repository_is_immutable_and_can_be_deleted_with_its_images(platform: Platform) -> None:
    repository = platform.properties(platform.resource("AWS::ECR::Repository"))
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["EmptyOnDelete"] is not platform.profile.storage.retain
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    policy = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])
    assert [rule["selection"]["countNumber"] for rule in policy["rules"]] == [50]
    image = platform.properties(platform.resource("AWS::Batch::JobDefinition"))["ContainerProperties"]["Image"]
    assert not image.endswith(":latest")


def test_job_role_has_data_only_and_execution_role_image_and_log_only(platform: Platform) -> None:
    job = platform.role("JobRole").allowed()
    assert {action.split(":")[0] for action in job} == {"s3", "kms"}
    dataset = platform.resource("AWS::S3::Bucket", "DatasetBucket").arn("Arn")
    model = platform.resource("AWS::S3::Bucket", "ModelBucket").arn("Arn")
    assert set(job["s3:GetObject"]) == {f"{dataset}/datasets/*", f"{model}/output/*", f"{model}/code/*"}
    assert job["s3:PutObject"] == [f"{model}/predictions/*"]

    execution = platform.role("JobExecutionRole").allowed()
    assert {action.split(":")[0] for action in execution} == {"ecr", "logs"}
    container = platform.properties(platform.resource("AWS::Batch::JobDefinition"))["ContainerProperties"]
    assert container["JobRoleArn"] != container["ExecutionRoleArn"]


def test_batch_writes_into_its_own_log_group(platform: Platform) -> None:
    container = platform.properties(platform.resource("AWS::Batch::JobDefinition"))["ContainerProperties"]
    group = container["LogConfiguration"]["Options"]["awslogs-group"]
    assert group == platform.outputs["BatchLogGroupName"]
    (resource,) = [each for each in platform.resources("AWS::Logs::LogGroup") if each.arn() == group]
    assert resource.properties["RetentionInDays"] == platform.profile.monitoring.log_retention_days


def test_jobs_fit_the_profiles_instance_types_and_no_other_is_added(platform: Platform) -> None:
    # vCPU and MiB of the types that profiles name; the agent of a host keeps some memory for itself.
    sizes = {"m5.large": (2, 8192), "m5.xlarge": (4, 16384), "m5.2xlarge": (8, 32768), "m5.4xlarge": (16, 65536)}
    reserve_mib = 1024
    batch = platform.profile.batch
    for environment in platform.resources("AWS::Batch::ComputeEnvironment"):
        assert environment.properties["ComputeResources"]["InstanceTypes"] == list(batch.instance_types)
    container = platform.properties(platform.resource("AWS::Batch::JobDefinition"))["ContainerProperties"]
    needed = {each["Type"]: int(each["Value"]) for each in container["ResourceRequirements"]}
    assert needed == {"VCPU": batch.job_vcpus, "MEMORY": batch.job_memory_mib}
    for instance_type in batch.instance_types:
        vcpus, memory_mib = sizes[instance_type]
        assert needed["VCPU"] <= vcpus
        assert needed["MEMORY"] <= memory_mib - reserve_mib


def test_spot_has_no_price_limit_and_only_lost_hosts_are_retried(platform: Platform) -> None:
    for environment in platform.resources("AWS::Batch::ComputeEnvironment"):
        assert "BidPercentage" not in environment.properties["ComputeResources"]
    definition = platform.resource("AWS::Batch::JobDefinition").properties
    assert definition["RetryStrategy"] == {
        "Attempts": 3,
        "EvaluateOnExit": [{"Action": "RETRY", "OnStatusReason": "Host EC2*"}, {"Action": "EXIT", "OnReason": "*"}],
    }
    assert definition["Timeout"] == {"AttemptDurationSeconds": 3600}
    actions = platform.resource("AWS::Batch::JobQueue").properties["JobStateTimeLimitActions"]
    assert {each["State"] for each in actions} == {"RUNNABLE"}
    assert {each["Action"] for each in actions} == {"CANCEL"}


def test_instances_of_a_job_reach_one_another_and_little_else(platform: Platform) -> None:
    (group_id,) = platform.training_job_config()["VpcConfig"]["SecurityGroupIds"]
    assert group_id == platform.outputs["TrainingSecurityGroupId"]
    ingress = _ingress(platform, group_id)
    assert [(rule["SourceSecurityGroupId"], rule["IpProtocol"]) for rule in ingress] == [(group_id, "-1")]
    (egress,) = [
        properties
        for each in platform.resources("AWS::EC2::SecurityGroupEgress")
        if (properties := platform.properties(each))["GroupId"] == group_id
    ]
    assert (egress["DestinationSecurityGroupId"], egress["IpProtocol"]) == (group_id, "-1")
    for group in platform.resources("AWS::EC2::SecurityGroup"):
        for rule in group.properties.get("SecurityGroupEgress", []):
            assert rule["IpProtocol"] != "-1"
            if rule.get("CidrIp") == "0.0.0.0/0":
                assert (rule["FromPort"], rule["ToPort"]) == (443, 443)


def test_nothing_that_is_replaced_has_a_physical_name(platform: Platform) -> None:
    for resource in platform.resources():
        name = CREATE_ONLY_NAMES.get(resource.type)
        assert name is None or name not in resource.properties, resource


def test_the_s3_gateway_serves_every_route_table(platform: Platform) -> None:
    (gateway,) = [
        each
        for each in platform.resources("AWS::EC2::VPCEndpoint")
        if each.properties["VpcEndpointType"] == "Gateway" and ".s3" in json.dumps(each.properties["ServiceName"])
    ]
    tables = {each.arn() for each in platform.resources("AWS::EC2::RouteTable")}
    assert set(platform.properties(gateway)["RouteTableIds"]) == tables


def test_everything_that_takes_tags_has_them(platform: Platform) -> None:
    expected = {
        "Project": "trainworks",
        "Environment": platform.outputs["EnvironmentSuffix"],
        "Profile": platform.profile.name,
        "Platform": f"trainworks-{platform.outputs['EnvironmentSuffix']}",
    }
    for resource in platform.resources():
        if TAGLESS.search(resource.type):
            continue
        assert expected.items() <= tags_of(resource).items(), resource.logical_id
    assert dict(platform.assembly.tags) == expected


def test_the_root_has_every_output_and_none_is_empty(platform: Platform) -> None:
    expected = {
        "EnvironmentSuffix", "Region", "VpcId", "PrivateSubnetIds", "DatasetBucketName", "ModelBucketName",
        "LogBucketName", "ECRRepositoryUri", "TrainingRoleArn", "TrainingSecurityGroupId", "TrainingJobConfig",
        "ComputeEnvironmentArn", "JobQueueArn", "JobDefinitionArn", "BatchLogGroupName", "TrainingLogGroupName",
        "FailureTopicArn", "DataKeyArn", "ResourceTags",
    }  # fmt: skip
    if platform.profile.monitoring.dashboard:
        expected.add("DashboardName")
    if platform.profile.notebook:
        expected |= {"NotebookRoleArn", "NotebookInstanceName"}
    assert set(platform.outputs) == expected
    assert all(platform.outputs.values())
    assert all("," not in value or key in {"PrivateSubnetIds", "TrainingJobConfig", "ECRRepositoryUri", "ResourceTags"}
               for key, value in platform.outputs.items())  # fmt: skip


def test_the_notebook_stops_when_idle(platform: Platform) -> None:
    if platform.profile.notebook is None:
        assert platform.resources("AWS::SageMaker::NotebookInstanceLifecycleConfig") == []
        return
    config = platform.properties(platform.resource("AWS::SageMaker::NotebookInstanceLifecycleConfig"))
    script = config["OnStart"][0]["Content"]
    bucket = platform.outputs["DatasetBucketName"]
    assert f'"{bucket}", "notebook-idle/stop", "{platform.outputs["Region"]}", int("60")' in script
    assert not re.search(r"@[A-Z_]+@", script)
    (rule,) = [
        properties
        for each in platform.resources("AWS::Events::Rule")
        if "aws.s3" in (properties := platform.properties(each)).get("EventPattern", {}).get("source", [])
    ]
    assert rule["EventPattern"]["detail"] == {"bucket": {"name": [bucket]}, "object": {"key": ["notebook-idle/stop"]}}
    machine = platform.resource("AWS::StepFunctions::StateMachine", "IdleStop")
    assert [target["Arn"] for target in rule["Targets"]] == [machine.arn("Arn")]
    state = json.loads(platform.properties(machine)["DefinitionString"])["States"]["Stop"]
    assert state["Parameters"] == {"NotebookInstanceName": platform.outputs["NotebookInstanceName"]}
    dataset = platform.properties(platform.resource("AWS::S3::Bucket", "DatasetBucket"))
    assert dataset["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_zones_are_those_of_the_region(platform: Platform) -> None:
    zones = {each.properties["AvailabilityZone"] for each in platform.resources("AWS::EC2::Subnet")}
    assert zones == {f"eu-west-1{letter}" for letter in platform.profile.network.zone_letters(REGION)}


def test_nothing_is_left_to_be_looked_up_in_the_account(platform: Platform) -> None:
    manifest = json.loads((platform.assembly.directory / "manifest.json").read_text())
    assert "missing" not in manifest
