"""The thirty faults of the platform that this one is measured against: each is there, and is in no profile of ours.

A test runs its finders (`tests/snapshot/defects/`) on both. What they say about that platform is asserted to the
letter, so that no finder can pass by finding nothing or something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.snapshot.defects import compute, monitoring, network, operations, permissions, storage
from tests.snapshot.platform import Platform, Reference, Stacks
from trainworks.config.profile import Egress, ProfileName
from trainworks.infra.app import cli_target

Finder = Callable[[Stacks], Iterator[str]]
ALL = tuple(ProfileName)
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Comparison:
    """Both platforms, for one fault at a time."""

    ours: dict[ProfileName, Platform]
    reference: Reference

    def gone(self, finder: Finder, *there: str, profiles: tuple[ProfileName, ...] = ALL) -> None:
        """`finder` finds exactly `there` on the reference platform, and nothing on ours."""
        assert self.found(finder) == list(there)
        for name in profiles:
            assert list(finder(self.ours[name])) == [], name

    def found(self, finder: Finder) -> list[str]:
        """What `finder` says of the reference platform, without the hashes in its logical ids."""
        return [re.sub(r"\b([A-Za-z0-9]+?)[0-9A-F]{8}\b", r"\1", fault) for fault in finder(self.reference)]


@pytest.fixture
def both(platforms: dict[ProfileName, Platform], reference: Reference) -> Comparison:
    return Comparison(platforms, reference)


# -- critical ---------------------------------------------------------------------------------------------------


def test_d01_training_jobs_have_subnets(both: Comparison) -> None:
    both.gone(compute.jobs_without_subnets, "TrainingJobConfig has 0 subnets", "PrivateSubnetIds is ''")


def test_d02_the_training_role_can_join_a_vpc(both: Comparison) -> None:
    both.gone(
        permissions.missing_interface_actions,
        "TrainingJobRole lacks ec2:CreateNetworkInterface, ec2:CreateNetworkInterfacePermission, "
        "ec2:DeleteNetworkInterface, ec2:DeleteNetworkInterfacePermission, ec2:DescribeNetworkInterfaces, "
        "ec2:DescribeVpcs, ec2:DescribeDhcpOptions, ec2:DescribeSubnets, ec2:DescribeSecurityGroups",
    )


def test_d03_spot_training_is_a_valid_request_that_can_resume(both: Comparison) -> None:
    both.gone(
        compute.spot_that_cannot_resume,
        "MaxRuntimeInSeconds is not a member of a CreateTrainingJob request",
        "StoppingCondition has no MaxRuntimeInSeconds",
        "MaxWaitTimeInSeconds is not a member of a CreateTrainingJob request",
        "StoppingCondition has no MaxWaitTimeInSeconds",
        "there is no CheckpointConfig",
        "TrainingJobRole may not s3:GetObject in the model bucket",
        "TrainingJobRole may not s3:ListBucket in the model bucket",
    )


def test_d04_failed_jobs_are_told(both: Comparison) -> None:
    both.gone(
        monitoring.failures_nobody_hears_of,
        "no rule sends failed training jobs to a topic",
        "TrainingJobFailureAlarm notifies nobody",
        "TrainingJobFailureAlarm: AWS/SageMaker has no metric TrainingJobsFailed without dimensions",
    )


def test_d05_the_dashboard_has_data(both: Comparison) -> None:
    hosts = "of a job's hosts is in /aws/sagemaker/TrainingJobs, not in AWS/SageMaker"
    both.gone(
        monitoring.widgets_without_data,
        "TrainingDashboard: EndpointName ALL is not a wildcard in AWS/SageMaker ModelLatency",
        "TrainingDashboard: ModelLatency needs EndpointName and VariantName",
        "TrainingDashboard: Host ALL is not a wildcard in AWS/SageMaker CPUUtilization",
        f"TrainingDashboard: CPUUtilization {hosts}",
        "TrainingDashboard: Host ALL is not a wildcard in AWS/SageMaker MemoryUtilization",
        f"TrainingDashboard: MemoryUtilization {hosts}",
        "TrainingDashboard: AWS/SageMaker has no metric TrainingJobsCount without dimensions",
    )
    assert both.ours[ProfileName.PROD].resources("AWS::CloudWatch::Dashboard")


def test_d06_production_data_outlives_the_stack(both: Comparison) -> None:
    both.gone(
        storage.data_that_goes_with_the_stack,
        "DatasetBucket is deleted with the stack",
        "ModelBucket is deleted with the stack",
        "TrainingRepository is deleted with the stack",
        "DatasetBucketAutoDeleteObjectsCustomResource empties a bucket",
        "ModelBucketAutoDeleteObjectsCustomResource empties a bucket",
        "the stack has no termination protection",
        profiles=(ProfileName.PROD,),
    )


def test_d07_no_role_is_a_way_to_more_rights(both: Comparison) -> None:
    both.gone(
        permissions.ways_to_more_rights,
        "NotebookExecutionRole carries AmazonSageMakerFullAccess, which passes any role",
    )


def test_d08_no_role_may_do_everything_in_a_service(both: Comparison) -> None:
    both.gone(permissions.whole_services_allowed, "TrainingJobRole may sagemaker:* on *")


# -- high -------------------------------------------------------------------------------------------------------


def test_d09_compute_is_where_the_platform_says(both: Comparison) -> None:
    both.gone(network.notebooks_in_public_subnets, "NotebookInstance is in a public subnet")
    # Who wants Batch hosts with a public address says so: `network.egress = "public-ip"`.
    ours = both.ours
    private = tuple(n for n in ALL if ours[n].profile.network.egress is not Egress.PUBLIC_IP)
    assert {ProfileName.STAGING, ProfileName.PROD} <= set(private)
    both.gone(network.batch_hosts_in_public_subnets, "ComputeEnvironment is in public subnets", profiles=private)


def test_d10_the_notebook_is_closed_encrypted_and_current(both: Comparison) -> None:
    both.gone(
        compute.open_notebooks,
        'NotebookInstance: DirectInternetAccess is not "Disabled"',
        'NotebookInstance: RootAccess is not "Disabled"',
        'NotebookInstance: PlatformIdentifier is not "notebook-al2023-v1"',
        'NotebookInstance: InstanceMetadataServiceConfiguration is not {"MinimumInstanceMetadataServiceVersion": "2"}',
        "NotebookInstance: the volume is not under a key of the platform",
    )
    assert both.ours[ProfileName.STAGING].resources("AWS::SageMaker::NotebookInstance")


def test_d11_log_retention_is_set_where_sagemaker_writes(both: Comparison) -> None:
    both.gone(
        monitoring.logs_that_are_never_written,
        "TrainingLogGroup: SageMaker never writes to /aws/sagemaker/training-jobs-dev",
        "nothing sets the retention of /aws/sagemaker/TrainingJobs",
    )


def test_d12_archived_artefacts_stay_readable(both: Comparison) -> None:
    both.gone(storage.artefacts_that_cannot_be_read, "ModelBucket archives to GLACIER, which CreateModel cannot read")


def test_d13_old_versions_and_broken_uploads_expire(both: Comparison) -> None:
    both.gone(
        storage.versions_and_parts_that_stay,
        "DatasetBucket keeps old versions for ever",
        "DatasetBucket keeps incomplete uploads for ever",
        "ModelBucket keeps old versions for ever",
        "ModelBucket keeps incomplete uploads for ever",
    )


def test_d14_buckets_take_only_tls_are_encrypted_and_logged(both: Comparison) -> None:
    both.gone(
        storage.unprotected_buckets,
        "DatasetBucket takes requests without TLS",
        "DatasetBucket is not under a key of the platform",
        "DatasetBucket has no access log",
        "ModelBucket takes requests without TLS",
        "ModelBucket is not under a key of the platform",
        "ModelBucket has no access log",
    )


def test_d15_images_neither_block_a_deletion_nor_move(both: Comparison) -> None:
    both.gone(
        storage.images_that_block_or_move,
        "TrainingRepository cannot be deleted once it has an image",
        "TrainingRepository lets a tag move to another image",
        "JobDefinition runs the tag latest",
    )


def test_d16_a_batch_job_has_rights_to_its_data_alone(both: Comparison) -> None:
    both.gone(
        permissions.jobs_with_the_wrong_rights,
        "JobExecutionRole carries AmazonECSTaskExecutionRolePolicy",
        "JobExecutionRole may ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetAuthorizationToken, "
        "ecr:GetDownloadUrlForLayer",
        "JobExecutionRole cannot read DatasetBucket",
    )


def test_d17_batch_jobs_fit_the_hosts_that_are_named(both: Comparison) -> None:
    both.gone(
        compute.jobs_that_fit_no_host,
        "ComputeEnvironment has optimal beside m5.large",
        "JobDefinition fits no m5.large",
    )


def test_d18_spot_has_no_price_limit_and_retries_have_a_reason(both: Comparison) -> None:
    both.gone(
        compute.blind_retries,
        "ComputeEnvironment has a price limit, which takes capacity away",
        "JobDefinition is retried whatever the reason",
        "JobQueue keeps jobs RUNNABLE for ever",
    )


def test_d19_instances_of_a_job_meet_and_nothing_else_is_open(both: Comparison) -> None:
    both.gone(
        network.instances_of_a_job_that_cannot_meet, "SageMakerSecurityGroup has no rule that lets its own members in"
    )
    both.gone(
        network.groups_open_to_everywhere,
        "TrainingVPCSageMakerAPIEndpointSecurityGroup lets everything out to everywhere",
        "TrainingVPCSageMakerRuntimeEndpointSecurityGroup lets everything out to everywhere",
        "TrainingVPCECREndpointSecurityGroup lets everything out to everywhere",
        "TrainingVPCECRDockerEndpointSecurityGroup lets everything out to everywhere",
        "SageMakerSecurityGroup lets everything out to everywhere",
        "BatchSecurityGroup lets everything out to everywhere",
    )


def test_d20_nothing_that_is_replaced_has_a_physical_name(both: Comparison) -> None:
    both.gone(
        storage.names_that_block_replacement,
        "DatasetBucket has a BucketName",
        "ModelBucket has a BucketName",
        "TrainingRepository has a RepositoryName",
        "TrainingLogGroup has a LogGroupName",
        "TrainingDashboard has a DashboardName",
        "NotebookInstance has a NotebookInstanceName",
        "ComputeEnvironment has a ComputeEnvironmentName",
        "JobQueue has a JobQueueName",
        "JobDefinition has a JobDefinitionName",
    )


# -- medium -----------------------------------------------------------------------------------------------------


def test_d21_buckets_can_be_in_two_regions(both: Comparison) -> None:
    both.gone(
        storage.buckets_named_without_region,
        "DatasetBucket is called training-datasets-dev-${AWS::AccountId} in every region",
        "ModelBucket is called model-artifacts-dev-${AWS::AccountId} in every region",
    )


def test_d22_endpoints_serve_every_subnet_and_only_us(both: Comparison) -> None:
    both.gone(
        network.route_tables_without_s3,
        "TrainingVPCPublicSubnet1RouteTable has no route to S3's gateway",
        "TrainingVPCPublicSubnet2RouteTable has no route to S3's gateway",
    )
    both.gone(
        network.endpoints_without_policy,
        *(
            f"TrainingVPC{name}Endpoint lets anybody's data through"
            for name in ("S3", "SageMakerAPI", "SageMakerRuntime", "ECR", "ECRDocker")
        ),
    )


def test_d23_the_default_group_is_closed_and_traffic_is_logged(both: Comparison) -> None:
    both.gone(network.open_default_group, "the default security group of TrainingVPC is open")
    both.gone(network.networks_without_flow_logs, "TrainingVPC has no flow log")
    # Flags show in what they change: access logs are let in by a policy, where without flags it is an ACL.
    assert both.reference.sources["feature_flags"] == []
    for platform in both.ours.values():
        assert "AccessControl" not in platform.resource("AWS::S3::Bucket", "LogBucket").properties
        policies = [json.dumps(each.properties) for each in platform.resources("AWS::S3::BucketPolicy")]
        assert any("logging.s3.amazonaws.com" in policy for policy in policies)


def test_d24_everything_that_takes_tags_has_them(both: Comparison) -> None:
    found = both.found(operations.untagged_resources)
    assert len(found) == 43
    assert "DatasetBucket has no tag Project, Environment" in found
    for platform in both.ours.values():
        assert list(operations.untagged_resources(platform)) == []


def test_d25_the_root_gives_every_value_that_people_need(both: Comparison) -> None:
    assert set(both.reference.outputs) == {"EnvironmentSuffix", "Region"}
    both.gone(
        operations.hidden_outputs,
        *(f"the root stack has no output {key}" for key in operations.NEEDED_OUTPUTS),
        profiles=(ProfileName.STAGING, ProfileName.PROD),
    )
    without_dashboard = tuple(key for key in operations.NEEDED_OUTPUTS if key != "DashboardName")
    dev = both.ours[ProfileName.DEV]
    assert list(operations.hidden_outputs(dev, without_dashboard)) == []


def test_d26_there_are_as_many_nat_gateways_as_told(both: Comparison) -> None:
    reference = both.reference
    (told,) = [claim["nat_gateways"] for claim in reference.sources["claims"] if "nat_gateways" in claim]
    assert list(network.nat_gateways_unlike(reference, told)) == ["1 NAT gateway told, 0 in the templates"]
    for platform in both.ours.values():
        told = 1 if platform.profile.network.egress is Egress.NAT_GATEWAY else 0
        assert list(network.nat_gateways_unlike(platform, told)) == []


def test_d27_the_environment_variable_and_the_entry_point_exist(reference: Reference) -> None:
    assert reference.sources["environment_variables_read"] == reference.sources["scripts"] == []
    assert reference.sources["entry_point"] is False
    target = cli_target({"ENVIRONMENT_SUFFIX": "pr3507"})
    assert target.environment_suffix == "pr3507"
    assert json.loads((ROOT / "cdk.json").read_text())["app"].endswith("-m trainworks.infra.app")


def test_d28_environments_have_address_blocks_of_their_own(both: Comparison) -> None:
    (fixed,) = network.address_blocks(both.reference)
    assert fixed == both.reference.sources["fixed_cidr_block"] == "10.220.0.0/16"
    blocks = [block for platform in both.ours.values() for block in network.address_blocks(platform)]
    assert len(set(blocks)) == len(both.ours)


def test_d29_the_notebook_stops_when_idle(both: Comparison) -> None:
    both.gone(
        compute.notebooks_that_never_stop,
        "NotebookInstance has no lifecycle configuration",
        "nothing stops NotebookInstance",
    )


def test_d30_zones_are_named(both: Comparison) -> None:
    both.gone(
        network.zones_that_are_looked_up,
        "TrainingVPCPublicSubnet1Subnet is in no named zone",
        "TrainingVPCPublicSubnet2Subnet is in no named zone",
        "TrainingVPCPrivateSubnet1Subnet is in no named zone",
        "TrainingVPCPrivateSubnet2Subnet is in no named zone",
    )
    for platform in both.ours.values():
        manifest = json.loads((platform.assembly.directory / "manifest.json").read_text())
        assert "missing" not in manifest
