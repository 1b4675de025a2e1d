"""The reference platform beside this one, as data: what it has, what it claims, what is wrong with it, and where each
of these is here. `parity_page.py` checks every name in it and renders it.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFECT_TESTS = "tests/snapshot/test_defects.py"
PROMISES = "tests/snapshot/test_promises.py"
TABLES = "tests/functional/roles/test_roles.py"
PLATFORM = "tests/functional/infra/test_platform.py"
NOTICES = "tests/functional/infra/test_notifications.py"


@dataclass(frozen=True, slots=True)
class Row:
    """`there`: logical ids of the reference without their hash. `here`: (type, construct path) of ours, and the file
    that makes it; nothing where the platform does without. `tests` prove it."""

    there: tuple[str, ...]
    what: str
    here: tuple[tuple[str, str], ...]
    file: str
    difference: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """`claim` is the id in `tests/reference/sources.json`; `there`: is it true of the reference."""

    claim: str
    there: str
    here: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Defect:
    """`codes`: the rules of `trainworks check` that find it on the reference; `none` says why there is none."""

    number: int
    there: str
    here: str
    test: str
    codes: tuple[str, ...] = ()
    none: str = ""


VPC = "Network/Vpc"
STACKS = tuple(
    f"{name}StackNestedStack{name}StackNestedStackResource"
    for name in ("Networking", "Storage", "Monitoring", "SageMaker", "Batch")
)


def _subnets(kind: str, *parts: str) -> tuple[str, ...]:
    return tuple(f"TrainingVPC{kind}Subnet{number}{part}" for number in (1, 2) for part in parts)


RESOURCES: tuple[Row, ...] = (
    Row(
        STACKS,
        "five nested stacks",
        tuple(
            ("AWS::CloudFormation::Stack", name)
            for name in ("Network", "Storage", "Monitoring", "Training", "Batch", "Cost")
        ),
        "src/trainworks/infra/platform.py",
        "a sixth for cost control; all of them in one stack on request",
        (f"{PLATFORM}::test_every_output_has_a_value",),
    ),
    Row(
        ("TrainingVPC",),
        "VPC of two zones at a fixed address block",
        (("AWS::EC2::VPC", VPC), ("AWS::EC2::FlowLog", "Network/FlowLog")),
        "src/trainworks/infra/parts/network.py",
        "block derived from the environment, named zones, flow logs, default group closed by a state machine; "
        "`network.*`",
        (
            f"{DEFECT_TESTS}::test_d28_environments_have_address_blocks_of_their_own",
            f"{DEFECT_TESTS}::test_d30_zones_are_named",
            f"{DEFECT_TESTS}::test_d23_the_default_group_is_closed_and_traffic_is_logged",
        ),
    ),
    Row(
        (
            *_subnets("Public", "Subnet", "RouteTable", "RouteTableAssociation", "DefaultRoute"),
            "TrainingVPCIGW",
            "TrainingVPCVPCGW",
        ),
        "two public subnets, where the notebook and Batch hosts are",
        (("AWS::EC2::Subnet", f"{VPC}/PublicSubnet1/Subnet"), ("AWS::EC2::InternetGateway", f"{VPC}/IGW")),
        "src/trainworks/infra/parts/network.py",
        "dev: for Batch hosts, which nobody can connect to; staging: for the NAT gateway; prod: none; `network.egress`",
        (
            f"{DEFECT_TESTS}::test_d09_compute_is_where_the_platform_says",
            f"{PROMISES}::test_staging_and_prod_run_everything_in_private_subnets",
        ),
    ),
    Row(
        _subnets("Private", "Subnet", "RouteTable", "RouteTableAssociation"),
        "two isolated subnets, for endpoints; jobs are told no subnet",
        (
            ("AWS::EC2::Subnet", f"{VPC}/IsolatedSubnet1/Subnet"),
            ("AWS::EC2::RouteTable", f"{VPC}/IsolatedSubnet1/RouteTable"),
        ),
        "src/trainworks/infra/parts/network.py",
        "training jobs run in them: two, in prod three; `network.availability_zones`",
        (
            f"{DEFECT_TESTS}::test_d01_training_jobs_have_subnets",
            f"{PROMISES}::test_jobs_get_the_isolated_subnets",
        ),
    ),
    Row(
        ("TrainingVPCS3Endpoint",),
        "S3 gateway on the isolated route tables",
        (("AWS::EC2::VPCEndpoint", f"{VPC}/S3"), ("AWS::EC2::VPCEndpoint", f"{VPC}/DynamoDb")),
        "src/trainworks/infra/parts/network.py",
        "gateways of S3 and DynamoDB on every route table, with policies",
        (
            f"{DEFECT_TESTS}::test_d22_endpoints_serve_every_subnet_and_only_us",
            f"{PROMISES}::test_the_s3_gateway_serves_every_route_table",
        ),
    ),
    Row(
        tuple(
            f"TrainingVPC{name}Endpoint{part}"
            for name in ("SageMakerAPI", "SageMakerRuntime", "ECR", "ECRDocker")
            for part in ("", "SecurityGroup")
        ),
        "four interface endpoints, each with a security group; too few for anything that runs",
        (
            ("AWS::EC2::VPCEndpoint", "Network/EcrApiEndpoint"),
            ("AWS::EC2::SecurityGroup", "Network/EndpointSecurityGroup"),
        ),
        "src/trainworks/infra/parts/network.py",
        "prod: those that the workloads need, with one group and policies; dev and staging: none; "
        "`network.interface_endpoints`",
        (f"{DEFECT_TESTS}::test_d22_endpoints_serve_every_subnet_and_only_us",),
    ),
    Row(
        ("DatasetBucket", "DatasetBucketPolicy"),
        "dataset bucket",
        (("AWS::S3::Bucket", "Storage/DatasetBucket"), ("AWS::S3::BucketPolicy", "Storage/DatasetBucket/Policy")),
        "src/trainworks/infra/constructs/data_bucket.py",
        "under a key, TLS only, access logs, old versions expire, no fixed name; `storage.*`",
        (
            f"{DEFECT_TESTS}::test_d13_old_versions_and_broken_uploads_expire",
            f"{DEFECT_TESTS}::test_d14_buckets_take_only_tls_are_encrypted_and_logged",
            f"{DEFECT_TESTS}::test_d21_buckets_can_be_in_two_regions",
        ),
    ),
    Row(
        ("ModelBucket", "ModelBucketPolicy"),
        "model bucket, archived to Glacier after 180 days",
        (("AWS::S3::Bucket", "Storage/ModelBucket"), ("AWS::S3::BucketPolicy", "Storage/ModelBucket/Policy")),
        "src/trainworks/infra/constructs/data_bucket.py",
        "the same; archived to Glacier Instant Retrieval, which can still be read; `storage.artifact_archive_days`",
        (
            f"{DEFECT_TESTS}::test_d12_archived_artefacts_stay_readable",
            f"{DEFECT_TESTS}::test_d14_buckets_take_only_tls_are_encrypted_and_logged",
        ),
    ),
    Row(
        (
            "DatasetBucketAutoDeleteObjectsCustomResource",
            "ModelBucketAutoDeleteObjectsCustomResource",
            "CustomS3AutoDeleteObjectsCustomResourceProviderRole",
            "CustomS3AutoDeleteObjectsCustomResourceProviderHandler",
        ),
        "function that empties the buckets with the stack, in every environment",
        (),
        "src/trainworks/deploy/deployer.py",
        "no function and no role: `trainworks down` empties what the profile lets go; prod retains; `storage.retain`",
        (
            f"{DEFECT_TESTS}::test_d06_production_data_outlives_the_stack",
            "tests/functional/deploy/test_down.py::test_what_is_full_is_emptied_and_what_is_retained_stays",
        ),
    ),
    Row(
        ("TrainingRepository",),
        "image repository",
        (("AWS::ECR::Repository", "Storage/TrainingRepository"),),
        "src/trainworks/infra/parts/storage.py",
        "immutable tags, under a key, can be deleted with its images; `storage.max_image_count`",
        (
            f"{DEFECT_TESTS}::test_d15_images_neither_block_a_deletion_nor_move",
            "tests/functional/jobs/test_images.py::test_a_tag_never_changes_its_image",
        ),
    ),
    Row(
        ("TrainingLogGroup",),
        "log group that nothing writes to",
        (("AWS::StepFunctions::StateMachine", "Monitoring/TrainingLogRetention"),),
        "src/trainworks/infra/constructs/training_log_retention.py",
        "retention of SageMaker's own group, set daily, never shortened; `monitoring.training_log_retention_days`",
        (
            f"{DEFECT_TESTS}::test_d11_log_retention_is_set_where_sagemaker_writes",
            f"{PLATFORM}::test_retention_of_the_shared_log_group_is_set_and_never_shortened",
        ),
    ),
    Row(
        ("TrainingDashboard",),
        "dashboard without data",
        (("AWS::CloudWatch::Dashboard", "Monitoring/Dashboard"),),
        "src/trainworks/infra/constructs/platform_dashboard.py",
        "metrics that exist; costs $3 a month, so only where wanted; `monitoring.dashboard`",
        (
            f"{DEFECT_TESTS}::test_d05_the_dashboard_has_data",
            f"{PROMISES}::test_the_dashboard_draws_metrics_that_exist",
        ),
    ),
    Row(
        ("TrainingJobFailureAlarm",),
        "alarm that cannot fire and tells nobody",
        (
            ("AWS::CloudWatch::Alarm", "Monitoring/TrainingJob/Failed/Alarm"),
            ("AWS::Events::Rule", "Monitoring/TrainingJob/Failed/Rule"),
            ("AWS::SNS::Topic", "Monitoring/Topic"),
        ),
        "src/trainworks/infra/constructs/event_notification.py",
        "rules on events, an encrypted topic, alarms on what they match; `monitoring.notification_emails`",
        (
            f"{DEFECT_TESTS}::test_d04_failed_jobs_are_told",
            f"{NOTICES}::test_a_failed_training_job_is_told_by_name_reason_and_place",
            f"{NOTICES}::test_the_alarm_on_failures_goes_off",
        ),
    ),
    Row(
        ("SageMakerSecurityGroup",),
        "one security group for notebook and jobs, all outbound traffic open",
        (
            ("AWS::EC2::SecurityGroup", "Training/TrainingSecurityGroup"),
            ("AWS::EC2::SecurityGroupIngress", "Training/TrainingSecurityGroup/FromMembers"),
            ("AWS::EC2::SecurityGroup", "Training/NotebookSecurityGroup"),
        ),
        "src/trainworks/infra/constructs/workload_security_group.py",
        "one each; instances of a job meet, nothing else comes in, HTTPS goes out",
        (
            f"{DEFECT_TESTS}::test_d19_instances_of_a_job_meet_and_nothing_else_is_open",
            f"{PROMISES}::test_instances_of_a_job_reach_one_another_and_little_else",
        ),
    ),
    Row(
        ("NotebookExecutionRole", "NotebookExecutionRoleDefaultPolicy"),
        "notebook role with AmazonSageMakerFullAccess",
        (("AWS::IAM::Role", "Training/NotebookRole"),),
        "src/trainworks/infra/constructs/notebook_role.py",
        "least privilege, written by hand: [roles.md](roles.md)",
        (
            f"{DEFECT_TESTS}::test_d07_no_role_is_a_way_to_more_rights",
            f"{TABLES}::test_a_role_can_do_its_work_and_nothing_else",
            "tests/snapshot/test_roles.py::test_every_role_is_the_documented_one",
        ),
    ),
    Row(
        ("TrainingJobRole", "TrainingJobRoleDefaultPolicy"),
        "training role with sagemaker:* and without the right to join a VPC",
        (("AWS::IAM::Role", "Training/TrainingRole"),),
        "src/trainworks/infra/constructs/training_role.py",
        "least privilege, written by hand: [roles.md](roles.md)",
        (
            f"{DEFECT_TESTS}::test_d02_the_training_role_can_join_a_vpc",
            f"{DEFECT_TESTS}::test_d08_no_role_may_do_everything_in_a_service",
            f"{TABLES}::test_a_job_meets_the_same_limits_from_inside",
        ),
    ),
    Row(
        ("NotebookInstance",),
        "notebook that runs day and night, with root access and its own way to the internet",
        (
            ("AWS::SageMaker::NotebookInstance", "Training/Notebook"),
            ("AWS::StepFunctions::StateMachine", "Training/Notebook/IdleStop"),
        ),
        "src/trainworks/infra/constructs/notebook.py",
        "closed, encrypted, stopped when idle; prod has none; `notebook.*`",
        (
            f"{DEFECT_TESTS}::test_d10_the_notebook_is_closed_encrypted_and_current",
            f"{DEFECT_TESTS}::test_d29_the_notebook_stops_when_idle",
            f"{PLATFORM}::test_the_notebooks_start_script_is_whole",
        ),
    ),
    Row(
        ("BatchSecurityGroup",),
        "security group of Batch hosts, all outbound traffic open",
        (("AWS::EC2::SecurityGroup", "Batch/SecurityGroup"),),
        "src/trainworks/infra/constructs/workload_security_group.py",
        "nothing comes in, HTTPS goes out",
        (f"{PROMISES}::test_jobs_and_notebook_are_isolated_and_batch_hosts_unreachable",),
    ),
    Row(
        ("ComputeEnvironmentInstanceProfileRole", "ComputeEnvironmentInstanceProfile"),
        "role of Batch hosts with a managed policy",
        (("AWS::IAM::Role", "Batch/InstanceRole"), ("AWS::IAM::InstanceProfile", "Batch/InstanceProfile")),
        "src/trainworks/infra/parts/batch.py",
        "the ECS agent's actions alone, logs in one group: [roles.md](roles.md)",
        (
            "tests/snapshot/test_roles.py::test_every_role_is_the_documented_one",
            f"{TABLES}::test_a_role_can_do_its_work_and_nothing_else",
        ),
    ),
    Row(
        ("ComputeEnvironment",),
        "spot compute environment with a price limit, `optimal` beside a type that fits no job",
        (
            ("AWS::Batch::ComputeEnvironment", "Batch/Spot"),
            ("AWS::Batch::ComputeEnvironment", "Batch/OnDemand"),
            ("AWS::EC2::LaunchTemplate", "Batch/LaunchTemplate"),
        ),
        "src/trainworks/infra/constructs/compute_environment.py",
        "no price limit, types that fit, encrypted volumes, IMDSv2; on-demand behind spot in prod; `batch.*`",
        (
            f"{DEFECT_TESTS}::test_d17_batch_jobs_fit_the_hosts_that_are_named",
            f"{PROMISES}::test_hosts_have_imdsv2_alone_encrypted_volumes_and_a_named_image",
        ),
    ),
    Row(
        ("JobQueue",),
        "job queue",
        (("AWS::Batch::JobQueue", "Batch/JobQueue"),),
        "src/trainworks/infra/parts/batch.py",
        "jobs that cannot be placed end with the reason, and people are told; `batch.runnable_limit_seconds`",
        (
            f"{DEFECT_TESTS}::test_d18_spot_has_no_price_limit_and_retries_have_a_reason",
            f"{NOTICES}::test_a_job_that_blocks_the_queue_is_told_with_the_reason_of_batch",
        ),
    ),
    Row(
        ("JobExecutionRole", "JobExecutionRoleDefaultPolicy"),
        "role of batch jobs, which is an execution role and cannot read datasets",
        (("AWS::IAM::Role", "Batch/JobRole"),),
        "src/trainworks/infra/parts/batch.py",
        "data and nothing else: [roles.md](roles.md)",
        (
            f"{DEFECT_TESTS}::test_d16_a_batch_job_has_rights_to_its_data_alone",
            "tests/functional/batch/test_jobs.py::test_a_container_acts_as_its_job_role_and_no_more",
        ),
    ),
    Row(
        ("ContainerDefExecutionRole", "ContainerDefExecutionRoleDefaultPolicy"),
        "execution role, logs in a group of the account",
        (("AWS::IAM::Role", "Batch/JobExecutionRole"), ("AWS::Logs::LogGroup", "Batch/LogGroup")),
        "src/trainworks/infra/parts/batch.py",
        "image and log, in a group of the environment with retention",
        (f"{PROMISES}::test_batch_writes_into_its_own_log_group",),
    ),
    Row(
        ("JobDefinition",),
        "job definition: tag latest, three retries whatever the reason",
        (("AWS::Batch::JobDefinition", "Batch/JobDefinition"),),
        "src/trainworks/infra/parts/batch.py",
        "immutable tag; only a lost host is retried; `batch.job_*`",
        (
            f"{PROMISES}::test_spot_has_no_price_limit_and_only_lost_hosts_are_retried",
            "tests/functional/batch/test_jobs.py::"
            "test_an_interrupted_spot_instance_fails_the_attempt_and_the_strategy_retries",
        ),
    ),
)

SIDE_BY_SIDE = "tests/functional/infra/test_side_by_side.py"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "environment-suffixes",
        "true",
        "`environment_suffix`; several side by side in one account, also in two regions",
        (f"{SIDE_BY_SIDE}::test_no_two_share_a_resource",),
    ),
    Claim(
        "environment-variable",
        "untrue: read nowhere, and neither script nor entry point exists",
        "`ENVIRONMENT_SUFFIX`, `trainworks up`, `cdk.json`",
        (f"{DEFECT_TESTS}::test_d27_the_environment_variable_and_the_entry_point_exist",),
    ),
    Claim(
        "cleanup",
        "half: also in production",
        "by profile; `trainworks down`",
        (
            f"{DEFECT_TESTS}::test_d06_production_data_outlives_the_stack",
            f"{SIDE_BY_SIDE}::test_destroying_one_leaves_the_others_whole",
        ),
    ),
    Claim(
        "empty-buckets",
        "half: a repository with one image stops the deletion",
        "buckets and repository are emptied where the profile lets them go",
        ("tests/functional/deploy/test_down.py::test_what_is_full_is_emptied_and_what_is_retained_stays",),
    ),
    Claim(
        "outputs",
        "untrue: the root stack gives two, and exports nothing",
        "the root stack gives every value that jobs and people need",
        (f"{DEFECT_TESTS}::test_d25_the_root_gives_every_value_that_people_need",),
    ),
    Claim(
        "isolation",
        "untrue: notebook and Batch are in public subnets, jobs in none",
        "jobs and notebook in private subnets in every profile, Batch in staging and prod",
        (f"{DEFECT_TESTS}::test_d09_compute_is_where_the_platform_says",),
    ),
    Claim(
        "public-subnets",
        "true, beside the claim that all is private",
        "only what a profile says: `network.egress`",
        (f"{PROMISES}::test_staging_and_prod_run_everything_in_private_subnets",),
    ),
    Claim(
        "endpoints",
        "half: four, of which none suffices for what runs",
        "those that the workloads need, from one table",
        ("tests/unit/aws/test_service_needs.py",),
    ),
    Claim(
        "least-privilege",
        "untrue: sagemaker:* and AmazonSageMakerFullAccess",
        "every statement documented with its reason and run as its role",
        ("tests/snapshot/test_roles.py::test_every_role_is_the_documented_one", TABLES),
    ),
    Claim(
        "encryption",
        "true, with S3's own keys",
        "a key of the platform for buckets, images, topic, logs, volumes",
        (f"{DEFECT_TESTS}::test_d14_buckets_take_only_tls_are_encrypted_and_logged",),
    ),
    Claim(
        "security-groups",
        "untrue: all outbound traffic open, members cannot meet",
        "HTTPS out, nothing in; instances of a job meet; default group closed",
        (f"{DEFECT_TESTS}::test_d19_instances_of_a_job_meet_and_nothing_else_is_open",),
    ),
    Claim(
        "batch-spot",
        "true, but the price limit takes capacity away",
        "spot without a price limit",
        (f"{DEFECT_TESTS}::test_d18_spot_has_no_price_limit_and_retries_have_a_reason",),
    ),
    Claim(
        "training-spot",
        "untrue: an output that is not a valid request",
        "a request that SageMaker takes, with checkpoints; interrupted jobs go on",
        (
            f"{DEFECT_TESTS}::test_d03_spot_training_is_a_valid_request_that_can_resume",
            "tests/functional/jobs/test_training.py::test_an_interrupted_job_resumes_from_its_checkpoint",
        ),
    ),
    Claim(
        "archival",
        "true, and CreateModel then fails",
        "Glacier Instant Retrieval",
        (f"{DEFECT_TESTS}::test_d12_archived_artefacts_stay_readable",),
    ),
    Claim(
        "image-limit",
        "true",
        "`storage.max_image_count`, 50",
        (f"{PROMISES}::test_the_repository_is_immutable_and_can_be_deleted_with_its_images",),
    ),
    Claim(
        "single-nat",
        "untrue: there is none",
        "staging has one; dev and prod none",
        (f"{DEFECT_TESTS}::test_d26_there_are_as_many_nat_gateways_as_told",),
    ),
    Claim(
        "no-nat",
        "true",
        "dev without NAT gateway; its idle cost: [cost.md](cost.md)",
        (f"{DEFECT_TESTS}::test_d26_there_are_as_many_nat_gateways_as_told",),
    ),
    Claim(
        "zones",
        "half: of the network; jobs get no subnet",
        "two zones, prod three; jobs may be placed in each",
        (
            f"{PROMISES}::test_zones_are_those_of_the_region",
            f"{PROMISES}::test_jobs_get_the_isolated_subnets",
        ),
    ),
    Claim(
        "scaling",
        "true",
        "0 to 16, 64, 256 vCPU by profile; on demand behind spot in prod",
        ("tests/snapshot/test_variations.py::test_prod_alone_keeps_on_demand_hosts_behind_spot",),
    ),
    Claim(
        "retries",
        "true, whatever the reason",
        "three attempts, for lost hosts alone",
        (f"{PROMISES}::test_spot_has_no_price_limit_and_only_lost_hosts_are_retried",),
    ),
    Claim(
        "dashboard",
        "untrue: no widget has data",
        "metrics that exist, where `monitoring.dashboard` is on",
        (f"{DEFECT_TESTS}::test_d05_the_dashboard_has_data",),
    ),
    Claim(
        "alarms",
        "untrue: on a metric that does not exist, without an action",
        "events, messages, alarms; seen to arrive on the twin",
        (
            f"{DEFECT_TESTS}::test_d04_failed_jobs_are_told",
            f"{NOTICES}::test_a_failed_training_job_is_told_by_name_reason_and_place",
        ),
    ),
    Claim(
        "log-groups",
        "untrue: nothing writes to the group",
        "retention where SageMaker and Batch write",
        (
            f"{DEFECT_TESTS}::test_d11_log_retention_is_set_where_sagemaker_writes",
            f"{PROMISES}::test_batch_writes_into_its_own_log_group",
        ),
    ),
    Claim(
        "tags",
        "untrue: there are none",
        "four on everything that takes tags; budget and anomaly monitor go by one of them",
        (f"{DEFECT_TESTS}::test_d24_everything_that_takes_tags_has_them",),
    ),
)

NOT_IN_TEMPLATE = "not in the templates"
BY_DESIGN = "a weakness, no failure: nothing stops the deploy or a job"

DEFECTS: tuple[Defect, ...] = (
    Defect(
        1,
        "isolated subnets are left out: jobs get no subnet",
        "a typed selection of subnets",
        "test_d01_training_jobs_have_subnets",
        ("TW01",),
    ),
    Defect(
        2,
        "the training role cannot make network interfaces",
        "the nine actions, in the jobs' subnets alone",
        "test_d02_the_training_role_can_join_a_vpc",
        ("TW02",),
    ),
    Defect(
        3,
        "spot training is not a valid request and cannot resume",
        "limits where SageMaker reads them, checkpoints, a role that can use them",
        "test_d03_spot_training_is_a_valid_request_that_can_resume",
        ("TW08", "TW09"),
    ),
    Defect(
        4,
        "the alarm is on a metric that does not exist and has no action",
        "a rule on the event, an encrypted topic, an alarm on its matches",
        "test_d04_failed_jobs_are_told",
        ("TW14", "TW16"),
    ),
    Defect(
        5,
        "no widget of the dashboard has data",
        "metrics that exist, found by SEARCH",
        "test_d05_the_dashboard_has_data",
        ("TW15",),
    ),
    Defect(
        6,
        "production data goes with the stack",
        "by profile: prod retains and is protected",
        "test_d06_production_data_outlives_the_stack",
        ("TW21",),
    ),
    Defect(
        7,
        "the notebook may pass any role",
        "it may pass the training role, to SageMaker alone",
        "test_d07_no_role_is_a_way_to_more_rights",
        ("TW23",),
    ),
    Defect(
        8,
        "jobs may do everything in SageMaker",
        "they may do nothing there",
        "test_d08_no_role_may_do_everything_in_a_service",
        ("TW23",),
    ),
    Defect(
        9,
        "notebook and Batch in public subnets",
        "private, but for Batch hosts in dev, which nobody reaches",
        "test_d09_compute_is_where_the_platform_says",
        ("TW10",),
    ),
    Defect(
        10,
        "notebook with root, internet of its own, IMDSv1, no key, an old platform",
        "all of it closed and current",
        "test_d10_the_notebook_is_closed_encrypted_and_current",
        none=BY_DESIGN,
    ),
    Defect(
        11,
        "retention on a log group that nothing writes to",
        "retention where SageMaker writes",
        "test_d11_log_retention_is_set_where_sagemaker_writes",
        ("TW29",),
    ),
    Defect(
        12,
        "archived artefacts cannot be read",
        "Glacier Instant Retrieval",
        "test_d12_archived_artefacts_stay_readable",
        ("TW22",),
    ),
    Defect(
        13,
        "old versions and broken uploads stay for ever",
        "both expire",
        "test_d13_old_versions_and_broken_uploads_expire",
        ("TW22",),
    ),
    Defect(
        14,
        "buckets without TLS rule, key and access log",
        "all three",
        "test_d14_buckets_take_only_tls_are_encrypted_and_logged",
        none=BY_DESIGN,
    ),
    Defect(
        15,
        "an image stops the deletion; tags move; `latest` runs",
        "emptied or retained, immutable, a version",
        "test_d15_images_neither_block_a_deletion_nor_move",
        ("TW21",),
    ),
    Defect(
        16,
        "the job role is an execution role and reads no datasets",
        "data alone; the execution role has image and log",
        "test_d16_a_batch_job_has_rights_to_its_data_alone",
        ("TW24",),
    ),
    Defect(
        17,
        "the job fits no host of the type named; `optimal` beside it",
        "types that fit, and no other",
        "test_d17_batch_jobs_fit_the_hosts_that_are_named",
        ("TW03", "TW04"),
    ),
    Defect(
        18,
        "price limit on spot, blind retries, jobs RUNNABLE for ever",
        "no limit, lost hosts alone, cancelled with the reason",
        "test_d18_spot_has_no_price_limit_and_retries_have_a_reason",
        none=BY_DESIGN,
    ),
    Defect(
        19,
        "instances of a job cannot meet; all outbound traffic open",
        "members meet; HTTPS out",
        "test_d19_instances_of_a_job_meet_and_nothing_else_is_open",
        ("TW13",),
    ),
    Defect(
        20,
        "physical names that block replacement",
        "none",
        "test_d20_nothing_that_is_replaced_has_a_physical_name",
        ("TW19",),
    ),
    Defect(
        21,
        "bucket names without region",
        "no bucket has a fixed name",
        "test_d21_buckets_can_be_in_two_regions",
        ("TW20",),
    ),
    Defect(
        22,
        "the S3 gateway leaves route tables out; no endpoint policy",
        "every route table; policies on all that take one",
        "test_d22_endpoints_serve_every_subnet_and_only_us",
        ("TW11",),
    ),
    Defect(
        23,
        "default security group open, no flow logs, no feature flags",
        "closed by a state machine; flow logs; flags pinned",
        "test_d23_the_default_group_is_closed_and_traffic_is_logged",
        none=BY_DESIGN,
    ),
    Defect(
        24,
        "no tags",
        "four on everything that takes tags",
        "test_d24_everything_that_takes_tags_has_them",
        none=BY_DESIGN,
    ),
    Defect(
        25,
        "the root gives two outputs",
        "every value",
        "test_d25_the_root_gives_every_value_that_people_need",
        ("TW30",),
    ),
    Defect(
        26,
        "a NAT gateway told, none there",
        "as many as told",
        "test_d26_there_are_as_many_nat_gateways_as_told",
        none=NOT_IN_TEMPLATE,
    ),
    Defect(
        27,
        "`ENVIRONMENT_SUFFIX` read nowhere, no entry point",
        "both there",
        "test_d27_the_environment_variable_and_the_entry_point_exist",
        none=NOT_IN_TEMPLATE,
    ),
    Defect(
        28,
        "one address block for all environments",
        "derived from the environment, or given",
        "test_d28_environments_have_address_blocks_of_their_own",
        none="one template shows one environment",
    ),
    Defect(
        29,
        "the notebook runs day and night",
        "stopped when idle",
        "test_d29_the_notebook_stops_when_idle",
        none="`trainworks cost` shows what it costs",
    ),
    Defect(
        30,
        "zones by number, looked up in the account",
        "named by the profile",
        "test_d30_zones_are_named",
        none=BY_DESIGN,
    ),
)

BESIDE = {
    "TW26": "trust policies that let the service use the role for any account",
    "TW27": "256 vCPU of spot instances, of which a new account may have 5",
}
"""Rules that find something on the reference which is none of the thirty."""


@dataclass(frozen=True, slots=True)
class Parity:
    """All of the comparison."""

    resources: tuple[Row, ...] = RESOURCES
    claims: tuple[Claim, ...] = CLAIMS
    defects: tuple[Defect, ...] = DEFECTS
