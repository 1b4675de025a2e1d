"""What has a price: the keys of price files, each with the unit that its figure is for.

A key names what AWS meters (`vpc.nat_gateway`), or begins with a prefix that ends in a dot and goes on with an instance
type (`ec2.on_demand.m5.large`).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum


class Unit(StrEnum):
    """What a figure is for; quantities are counted in these."""

    HOUR = "hour"
    DAY = "day"
    GB = "GB"
    GB_MONTH = "GB-month"
    GB_HOUR = "GB-hour"
    GB_SECOND = "GB-second"
    VCPU_HOUR = "vCPU-hour"
    ACU_HOUR = "ACU-hour"
    LCU_HOUR = "LCU-hour"
    ZONE_MONTH = "zone-month"
    PIPELINE_MONTH = "pipeline-month"
    MINUTE = "minute"
    KEY_MONTH = "key-month"
    ALARM_MONTH = "alarm-month"
    DASHBOARD_MONTH = "dashboard-month"
    METRIC_MONTH = "metric-month"
    IOPS_MONTH = "IOPS-month"
    MIB_S_MONTH = "MiB/s-month"
    MB_S_MONTH = "MB/s-month"
    SECRET_MONTH = "secret-month"  # noqa: S105 - a unit
    THOUSAND_REQUESTS = "1,000 requests"
    THOUSAND_TRANSITIONS = "1,000 transitions"
    TEN_THOUSAND_REQUESTS = "10,000 requests"
    HUNDRED_THOUSAND_NOTIFICATIONS = "100,000 notifications"
    MILLION_EVENTS = "million events"
    MILLION_INVOCATIONS = "million invocations"
    MILLION_REQUESTS = "million requests"
    MILLION_REQUEST_UNITS = "million request units"


UNITS: dict[str, Unit] = {
    "budgets.action_budget": Unit.DAY,
    "cloudwatch.alarm.composite": Unit.ALARM_MONTH,
    "cloudwatch.alarm.high_resolution": Unit.ALARM_MONTH,
    "cloudwatch.alarm.standard": Unit.ALARM_MONTH,
    "cloudwatch.dashboard": Unit.DASHBOARD_MONTH,
    "cloudwatch.metric": Unit.METRIC_MONTH,
    "cluster.docdb.": Unit.HOUR,
    "cluster.elasticache.": Unit.HOUR,
    "cluster.mq.": Unit.HOUR,
    "cluster.msk.": Unit.HOUR,
    "cluster.mwaa.": Unit.HOUR,
    "cluster.neptune.": Unit.HOUR,
    "cluster.opensearch.": Unit.HOUR,
    "cluster.redshift.": Unit.HOUR,
    "codepipeline.action": Unit.MINUTE,
    "codepipeline.pipeline": Unit.PIPELINE_MONTH,
    "dynamodb.point_in_time_recovery": Unit.GB_MONTH,
    "dynamodb.read": Unit.MILLION_REQUEST_UNITS,
    "dynamodb.read_capacity": Unit.HOUR,
    "dynamodb.storage": Unit.GB_MONTH,
    "dynamodb.write": Unit.MILLION_REQUEST_UNITS,
    "dynamodb.write_capacity": Unit.HOUR,
    "ebs.gp2": Unit.GB_MONTH,
    "ebs.gp3": Unit.GB_MONTH,
    "ebs.gp3.iops": Unit.IOPS_MONTH,
    "ebs.gp3.throughput": Unit.MIB_S_MONTH,
    "ebs.io1": Unit.GB_MONTH,
    "ebs.io1.iops": Unit.IOPS_MONTH,
    "ebs.io2": Unit.GB_MONTH,
    "ebs.io2.iops": Unit.IOPS_MONTH,
    "ebs.sc1": Unit.GB_MONTH,
    "ebs.st1": Unit.GB_MONTH,
    "ebs.standard": Unit.GB_MONTH,
    "ec2.on_demand.": Unit.HOUR,
    "ec2.spot.": Unit.HOUR,
    "ecr.storage": Unit.GB_MONTH,
    "efs.infrequent_access": Unit.GB_MONTH,
    "efs.one_zone": Unit.GB_MONTH,
    "efs.provisioned_throughput": Unit.MB_S_MONTH,
    "efs.standard": Unit.GB_MONTH,
    "eks.cluster": Unit.HOUR,
    "elb.application": Unit.HOUR,
    "elb.application.capacity": Unit.LCU_HOUR,
    "elb.classic": Unit.HOUR,
    "elb.classic.data": Unit.GB,
    "elb.gateway": Unit.HOUR,
    "elb.gateway.capacity": Unit.LCU_HOUR,
    "elb.network": Unit.HOUR,
    "elb.network.capacity": Unit.LCU_HOUR,
    "events.custom": Unit.MILLION_EVENTS,
    "events.scheduler": Unit.MILLION_INVOCATIONS,
    "fargate.arm_memory": Unit.GB_HOUR,
    "fargate.arm_vcpu": Unit.VCPU_HOUR,
    "fargate.memory": Unit.GB_HOUR,
    "fargate.spot_memory": Unit.GB_HOUR,
    "fargate.spot_vcpu": Unit.VCPU_HOUR,
    "fargate.vcpu": Unit.VCPU_HOUR,
    "fsx.lustre.persistent_1.": Unit.GB_MONTH,
    "fsx.lustre.persistent_2.": Unit.GB_MONTH,
    "fsx.lustre.scratch": Unit.GB_MONTH,
    "fsx.openzfs.single_az.iops": Unit.IOPS_MONTH,
    "fsx.openzfs.single_az.ssd": Unit.GB_MONTH,
    "fsx.openzfs.single_az.throughput": Unit.MB_S_MONTH,
    "fsx.windows.multi_az.hdd": Unit.GB_MONTH,
    "fsx.windows.multi_az.ssd": Unit.GB_MONTH,
    "fsx.windows.multi_az.throughput": Unit.MB_S_MONTH,
    "fsx.windows.single_az.hdd": Unit.GB_MONTH,
    "fsx.windows.single_az.ssd": Unit.GB_MONTH,
    "fsx.windows.single_az.throughput": Unit.MB_S_MONTH,
    "kinesis.on_demand_stream": Unit.HOUR,
    "kinesis.shard": Unit.HOUR,
    "kms.key": Unit.KEY_MONTH,
    "kms.requests": Unit.TEN_THOUSAND_REQUESTS,
    "lambda.duration": Unit.GB_SECOND,
    "lambda.requests": Unit.MILLION_REQUESTS,
    "logs.ingestion": Unit.GB,
    "logs.insights": Unit.GB,
    "logs.storage": Unit.GB_MONTH,
    "logs.vended_ingestion": Unit.GB,
    "msk.storage": Unit.GB_MONTH,
    "mwaa.storage": Unit.GB_MONTH,
    "networkfirewall.data": Unit.GB,
    "networkfirewall.endpoint": Unit.HOUR,
    "opensearch.gp2": Unit.GB_MONTH,
    "opensearch.gp3": Unit.GB_MONTH,
    "opensearch.io1": Unit.GB_MONTH,
    "opensearch.standard": Unit.GB_MONTH,
    "rds.aurora-mysql.": Unit.HOUR,
    "rds.aurora-postgresql.": Unit.HOUR,
    "rds.aurora_capacity": Unit.ACU_HOUR,
    "rds.aurora_storage": Unit.GB_MONTH,
    "rds.mariadb.multi_az.": Unit.HOUR,
    "rds.mariadb.single_az.": Unit.HOUR,
    "rds.mysql.multi_az.": Unit.HOUR,
    "rds.mysql.single_az.": Unit.HOUR,
    "rds.oracle-se2.multi_az.": Unit.HOUR,
    "rds.oracle-se2.single_az.": Unit.HOUR,
    "rds.postgres.multi_az.": Unit.HOUR,
    "rds.postgres.single_az.": Unit.HOUR,
    "rds.sqlserver-ee.multi_az.": Unit.HOUR,
    "rds.sqlserver-ee.single_az.": Unit.HOUR,
    "rds.sqlserver-ex.multi_az.": Unit.HOUR,
    "rds.sqlserver-ex.single_az.": Unit.HOUR,
    "rds.sqlserver-se.multi_az.": Unit.HOUR,
    "rds.sqlserver-se.single_az.": Unit.HOUR,
    "rds.sqlserver-web.multi_az.": Unit.HOUR,
    "rds.sqlserver-web.single_az.": Unit.HOUR,
    "rds.storage.gp2": Unit.GB_MONTH,
    "rds.storage.gp3": Unit.GB_MONTH,
    "rds.storage.io1": Unit.GB_MONTH,
    "rds.storage.io1.iops": Unit.IOPS_MONTH,
    "rds.storage.standard": Unit.GB_MONTH,
    "rds.storage_multi_az.gp2": Unit.GB_MONTH,
    "rds.storage_multi_az.gp3": Unit.GB_MONTH,
    "route53.hosted_zone": Unit.ZONE_MONTH,
    "route53.resolver_address": Unit.HOUR,
    "s3.deep_archive": Unit.GB_MONTH,
    "s3.glacier": Unit.GB_MONTH,
    "s3.glacier_ir": Unit.GB_MONTH,
    "s3.intelligent_tiering": Unit.GB_MONTH,
    "s3.one_zone_ia": Unit.GB_MONTH,
    "s3.requests.read": Unit.THOUSAND_REQUESTS,
    "s3.requests.transition_glacier_ir": Unit.THOUSAND_REQUESTS,
    "s3.requests.write": Unit.THOUSAND_REQUESTS,
    "s3.standard": Unit.GB_MONTH,
    "s3.standard_ia": Unit.GB_MONTH,
    "sagemaker.cluster.": Unit.HOUR,
    "sagemaker.code_editor.": Unit.HOUR,
    "sagemaker.hosting.": Unit.HOUR,
    "sagemaker.hosting_volume": Unit.GB_MONTH,
    "sagemaker.jupyter_lab.": Unit.HOUR,
    "sagemaker.kernel_gateway.": Unit.HOUR,
    "sagemaker.notebook.": Unit.HOUR,
    "sagemaker.notebook_volume": Unit.GB_MONTH,
    "sagemaker.processing.": Unit.HOUR,
    "sagemaker.spot_training.": Unit.HOUR,
    "sagemaker.studio_volume": Unit.GB_MONTH,
    "sagemaker.training.": Unit.HOUR,
    "sagemaker.training_volume": Unit.GB_MONTH,
    "secretsmanager.secret": Unit.SECRET_MONTH,
    "sns.email": Unit.HUNDRED_THOUSAND_NOTIFICATIONS,
    "sns.requests": Unit.MILLION_REQUESTS,
    "sqs.fifo": Unit.MILLION_REQUESTS,
    "sqs.standard": Unit.MILLION_REQUESTS,
    "states.express_requests": Unit.MILLION_REQUESTS,
    "states.transitions": Unit.THOUSAND_TRANSITIONS,
    "vpc.client_vpn_association": Unit.HOUR,
    "vpc.interface_endpoint": Unit.HOUR,
    "vpc.interface_endpoint.data": Unit.GB,
    "vpc.nat_gateway": Unit.HOUR,
    "vpc.nat_gateway.data": Unit.GB,
    "vpc.public_ipv4": Unit.HOUR,
    "vpc.transit_gateway.data": Unit.GB,
    "vpc.transit_gateway_attachment": Unit.HOUR,
}
"""A key that ends in a dot is a prefix; an instance type follows it."""

_PREFIXES = tuple(key for key in UNITS if key.endswith("."))


def unit_of(key: str) -> Unit | None:
    """The unit of a key's figure, or None if there is no such key."""
    if key in UNITS:
        return None if key.endswith(".") else UNITS[key]
    return next((UNITS[prefix] for prefix in _PREFIXES if key.startswith(prefix)), None)


def similar(key: str, known: Iterable[str] = UNITS) -> str | None:
    """The key that was probably meant."""
    return next(iter(get_close_matches(key, list(known), 1)), None)
