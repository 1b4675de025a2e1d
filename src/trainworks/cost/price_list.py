"""Where AWS's Price List has the figures that price files have: service, product filters, usage type, unit.

Source: the shapes of `pricing:GetProducts`, and the usage types of AWS's bills. A usage type begins with a code of the
region (`USE1-`, `EU-`), or in us-east-1 often with none, so it is known by its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

_HOURS = frozenset({"Hrs", "hours", "Hours", "vCPU-Hours", "GB-Hours"})
_GB = frozenset({"GB", "Gigabytes"})
_GB_MONTH = frozenset({"GB-Mo", "GB-month", "GB-Month"})
_IOPS_MONTH = frozenset({"IOPS-Mo", "IOPS-month"})
_ONE, _THOUSAND, _MILLION = Decimal(1), Decimal(1_000), Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class WantedPrice:
    """A figure of the Price List: `times` converts it to our unit; `units` are the words that AWS has for its own."""

    key: str
    units: frozenset[str]
    times: Decimal = _ONE


@dataclass(frozen=True, slots=True)
class Query:
    """Products of one service. `exact` has what each usage type gives, `typed` those that end in an instance type.

    `is_global`: the service has one price for all regions and none of them in its attributes.
    """

    service_code: str
    filters: Mapping[str, str] = field(default_factory=dict)
    exact: Mapping[str, WantedPrice] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    is_global: bool = False


def _units(*names: str) -> frozenset[str]:
    return frozenset(names)


_REQUESTS = _units("Requests", "Request", "API Requests")

QUERIES: tuple[Query, ...] = (
    Query(
        "AmazonVPC",
        exact={
            "VpcEndpoint-Hours": WantedPrice("vpc.interface_endpoint", _HOURS),
            "VpcEndpoint-Bytes": WantedPrice("vpc.interface_endpoint.data", _GB),
            "PublicIPv4:InUseAddress": WantedPrice("vpc.public_ipv4", _HOURS),
            "ClientVPN-EndpointHours": WantedPrice("vpc.client_vpn_association", _HOURS),
            "TransitGateway-Hours": WantedPrice("vpc.transit_gateway_attachment", _HOURS),
            "TransitGateway-Bytes": WantedPrice("vpc.transit_gateway.data", _GB),
        },
    ),
    Query(
        "AmazonEC2",
        {"productFamily": "NAT Gateway"},
        {
            "NatGateway-Hours": WantedPrice("vpc.nat_gateway", _HOURS),
            "NatGateway-Bytes": WantedPrice("vpc.nat_gateway.data", _GB),
        },
    ),
    Query(
        "AmazonEC2",
        {"productFamily": "Storage"},
        {
            "EBS:VolumeUsage.gp2": WantedPrice("ebs.gp2", _GB_MONTH),
            "EBS:VolumeUsage.gp3": WantedPrice("ebs.gp3", _GB_MONTH),
            "EBS:VolumeUsage.piops": WantedPrice("ebs.io1", _GB_MONTH),
            "EBS:VolumeUsage.io2": WantedPrice("ebs.io2", _GB_MONTH),
            "EBS:VolumeUsage.st1": WantedPrice("ebs.st1", _GB_MONTH),
            "EBS:VolumeUsage.sc1": WantedPrice("ebs.sc1", _GB_MONTH),
            "EBS:VolumeUsage": WantedPrice("ebs.standard", _GB_MONTH),
        },
    ),
    Query(
        "AmazonEC2",
        {"productFamily": "System Operation"},
        {
            "EBS:VolumeP-IOPS.gp3": WantedPrice("ebs.gp3.iops", _IOPS_MONTH),
            "EBS:VolumeP-IOPS.piops": WantedPrice("ebs.io1.iops", _IOPS_MONTH),
            "EBS:VolumeP-IOPS.io2": WantedPrice("ebs.io2.iops", _IOPS_MONTH),
        },
    ),
    Query(
        "AmazonEC2",
        {"productFamily": "Provisioned Throughput"},
        {"EBS:VolumeP-Throughput.gp3": WantedPrice("ebs.gp3.throughput", _units("GiBps-mo", "GiBps-Mo"), _ONE / 1024)},
    ),
    *(
        Query(
            "AWSELB",
            {"productFamily": family},
            {
                "LoadBalancerUsage": WantedPrice(f"elb.{name}", _HOURS),
                "LCUUsage": WantedPrice(f"elb.{name}.capacity", _units("LCU-Hrs", "NLCU-Hrs", "GLCU-Hrs")),
            },
        )
        for family, name in (
            ("Load Balancer-Application", "application"),
            ("Load Balancer-Gateway", "gateway"),
            ("Load Balancer-Network", "network"),
        )
    ),
    Query(
        "AWSELB",
        {"productFamily": "Load Balancer"},
        {
            "LoadBalancerUsage": WantedPrice("elb.classic", _HOURS),
            "DataProcessing-Bytes": WantedPrice("elb.classic.data", _GB),
        },
    ),
    Query("AmazonEKS", exact={"AmazonEKS-Hours:perCluster": WantedPrice("eks.cluster", _HOURS)}),
    Query("AWSNetworkFirewall", exact={"Endpoint-Hour": WantedPrice("networkfirewall.endpoint", _HOURS)}),
    Query(
        "AmazonKinesis",
        exact={
            "Storage-ShardHour": WantedPrice("kinesis.shard", _units("ShardHour")),
            "OnDemand-StreamHour": WantedPrice("kinesis.on_demand_stream", _units("StreamHr", "StreamHour")),
        },
    ),
    Query(
        "AWSSecretsManager",
        exact={"AWSSecretsManager-Secrets": WantedPrice("secretsmanager.secret", _units("Secrets", "Secret"))},
    ),
    *(
        Query(
            "AmazonRDS",
            {"productFamily": "Database Instance", "databaseEngine": engine, "licenseModel": "No license required"},
            typed={"InstanceUsage:": f"rds.{name}.single_az.", "Multi-AZUsage:": f"rds.{name}.multi_az."},
        )
        for engine, name in (("MariaDB", "mariadb"), ("MySQL", "mysql"), ("PostgreSQL", "postgres"))
    ),
    *(
        Query(
            "AmazonRDS",
            {"productFamily": "Database Instance", "databaseEngine": engine},
            typed={"InstanceUsage:": f"rds.{name}."},
        )
        for engine, name in (("Aurora MySQL", "aurora-mysql"), ("Aurora PostgreSQL", "aurora-postgresql"))
    ),
    Query(
        "AmazonRDS",
        {"productFamily": "Database Storage", "databaseEngine": "PostgreSQL"},
        {
            "RDS:GP2-Storage": WantedPrice("rds.storage.gp2", _GB_MONTH),
            "RDS:GP3-Storage": WantedPrice("rds.storage.gp3", _GB_MONTH),
            "RDS:PIOPS-Storage": WantedPrice("rds.storage.io1", _GB_MONTH),
            "RDS:StorageUsage": WantedPrice("rds.storage.standard", _GB_MONTH),
            "RDS:Multi-AZ-GP2-Storage": WantedPrice("rds.storage_multi_az.gp2", _GB_MONTH),
            "RDS:Multi-AZ-GP3-Storage": WantedPrice("rds.storage_multi_az.gp3", _GB_MONTH),
        },
    ),
    Query("AmazonElastiCache", {"cacheEngine": "Redis"}, typed={"NodeUsage:": "cluster.elasticache."}),
    Query(
        "AmazonEC2",
        {
            "productFamily": "Compute Instance",
            "operatingSystem": "Linux",
            "tenancy": "Shared",
            "preInstalledSw": "NA",
            "capacitystatus": "Used",
        },
        typed={"BoxUsage:": "ec2.on_demand."},
    ),
    Query(
        "awskms",
        exact={
            "KMS-Keys": WantedPrice("kms.key", _units("Keys", "Months", "Key", "Key-Month")),
            "KMS-Requests": WantedPrice("kms.requests", _REQUESTS, Decimal(10_000)),
        },
    ),
    Query(
        "AmazonS3",
        exact={
            "TimedStorage-ByteHrs": WantedPrice("s3.standard", _GB_MONTH),
            "TimedStorage-SIA-ByteHrs": WantedPrice("s3.standard_ia", _GB_MONTH),
            "TimedStorage-ZIA-ByteHrs": WantedPrice("s3.one_zone_ia", _GB_MONTH),
            "TimedStorage-GIR-ByteHrs": WantedPrice("s3.glacier_ir", _GB_MONTH),
            "TimedStorage-INT-FA-ByteHrs": WantedPrice("s3.intelligent_tiering", _GB_MONTH),
            "Requests-Tier1": WantedPrice("s3.requests.write", _REQUESTS, _THOUSAND),
            "Requests-Tier2": WantedPrice("s3.requests.read", _REQUESTS, _THOUSAND),
        },
    ),
    Query("AmazonECR", exact={"TimedStorage-ByteHrs": WantedPrice("ecr.storage", _GB_MONTH)}),
    Query(
        "AmazonCloudWatch",
        exact={
            "CW:AlarmMonitorUsage": WantedPrice("cloudwatch.alarm.standard", _units("Alarms")),
            "CW:HighResAlarmMonitorUsage": WantedPrice("cloudwatch.alarm.high_resolution", _units("Alarms")),
            "CW:CompositeAlarmMonitorUsage": WantedPrice("cloudwatch.alarm.composite", _units("Alarms")),
            "CW:MetricMonitorUsage": WantedPrice("cloudwatch.metric", _units("Metrics")),
            "DataProcessing-Bytes": WantedPrice("logs.ingestion", _GB),
            "VendedLog-Bytes": WantedPrice("logs.vended_ingestion", _GB),
            "TimedStorage-ByteHrs": WantedPrice("logs.storage", _GB_MONTH),
            "DataScanned-Bytes": WantedPrice("logs.insights", _GB),
        },
    ),
    Query(
        "AmazonCloudWatch",
        {"productFamily": "Dashboard"},
        {"DashboardsUsageHour": WantedPrice("cloudwatch.dashboard", _units("Dashboards"))},
        is_global=True,
    ),
    Query(
        "AmazonSNS",
        exact={
            "Requests-Tier1": WantedPrice("sns.requests", _REQUESTS, _MILLION),
            "DeliveryAttempts-SMTP": WantedPrice("sns.email", _units("Notifications"), Decimal(100_000)),
        },
    ),
    Query(
        "AWSQueueService",
        exact={
            "Requests-Tier1": WantedPrice("sqs.standard", _REQUESTS, _MILLION),
            "Requests-FIFO-Tier1": WantedPrice("sqs.fifo", _REQUESTS, _MILLION),
        },
    ),
    Query(
        "AWSEvents", exact={"Event-64K-Chunks": WantedPrice("events.custom", _units("64K Chunks", "Events"), _MILLION)}
    ),
    Query(
        "AmazonStates",
        exact={
            "StateTransition": WantedPrice("states.transitions", _units("StateTransitions", "Transitions"), _THOUSAND)
        },
    ),
    Query(
        "AmazonDynamoDB",
        exact={
            "WriteRequestUnits": WantedPrice("dynamodb.write", _units("WriteRequestUnits"), _MILLION),
            "ReadRequestUnits": WantedPrice("dynamodb.read", _units("ReadRequestUnits"), _MILLION),
            "TimedStorage-ByteHrs": WantedPrice("dynamodb.storage", _GB_MONTH),
            "TimedPITRStorage-ByteHrs": WantedPrice("dynamodb.point_in_time_recovery", _GB_MONTH),
            "WriteCapacityUnit-Hrs": WantedPrice("dynamodb.write_capacity", _units("WriteCapacityUnit-Hrs")),
            "ReadCapacityUnit-Hrs": WantedPrice("dynamodb.read_capacity", _units("ReadCapacityUnit-Hrs")),
        },
    ),
    Query(
        "AWSLambda",
        exact={
            "Request": WantedPrice("lambda.requests", _REQUESTS, _MILLION),
            "Lambda-GB-Second": WantedPrice("lambda.duration", _units("Second", "Lambda-GB-Second", "GB-Seconds")),
        },
    ),
    Query(
        "AmazonECS",
        exact={
            "Fargate-vCPU-Hours:perCPU": WantedPrice("fargate.vcpu", _HOURS),
            "Fargate-GB-Hours": WantedPrice("fargate.memory", _HOURS),
            "Fargate-ARM-vCPU-Hours:perCPU": WantedPrice("fargate.arm_vcpu", _HOURS),
            "Fargate-ARM-GB-Hours": WantedPrice("fargate.arm_memory", _HOURS),
        },
    ),
    Query(
        "AmazonSageMaker",
        exact={
            "Notebk:VolumeUsage.gp2": WantedPrice("sagemaker.notebook_volume", _GB_MONTH),
            "Train:VolumeUsage.gp2": WantedPrice("sagemaker.training_volume", _GB_MONTH),
            "Host:VolumeUsage.gp2": WantedPrice("sagemaker.hosting_volume", _GB_MONTH),
            "Studio:VolumeUsage.gp3": WantedPrice("sagemaker.studio_volume", _GB_MONTH),
        },
        typed={
            "Notebk:": "sagemaker.notebook.",
            "Train:": "sagemaker.training.",
            "Processing:": "sagemaker.processing.",
            "Host:": "sagemaker.hosting.",
            "Cluster:": "sagemaker.cluster.",
            "Studio:JupyterLab-": "sagemaker.jupyter_lab.",
            "Studio:CodeEditor-": "sagemaker.code_editor.",
            "Studio:KernelGateway-": "sagemaker.kernel_gateway.",
        },
    ),
)

TYPED_UNITS = _HOURS
"""Instances are billed by the hour."""


def is_asked_for(key: str) -> bool:
    """Whether the Price List is asked for the figure of a key: it has no spot prices, and not all that has a key."""
    return any(
        key in {wanted.key for wanted in query.exact.values()} or key.startswith(tuple(query.typed.values()))
        for query in QUERIES
    )
