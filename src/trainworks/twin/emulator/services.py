"""Which of ministack's services the twin offers.

Keys are names in a signature's credential scope. A service that is not here is refused by name, and so is every
CloudFormation type of such a service. What is served of a service's operations is in `members/`.
"""

from __future__ import annotations

from trainworks.twin.emulator.step_functions.machine_definitions import INTEGRATIONS

SERVICES: dict[str, str] = {
    "account": "recorded",
    "budgets": "recorded; no cost is ever incurred",
    "cloudformation": "executed, with nested stacks, change sets, roll-back and recovery of interrupted operations",
    "dynamodb": "executed",
    "ec2": (
        "networks, security groups, endpoints and templates are recorded; no request is held to the policy of a VPC "
        "endpoint; instances are refused"
    ),
    "ecr": "executed; images are pulled inside the twin only",
    "events": (
        "executed: rules match and deliver to functions, queues, topics, state machines, log groups, buses, API "
        "destinations and Batch job queues, as policies and roles let them; failures are counted and go to dead-letter "
        "queues; other targets are refused"
    ),
    "iam": "executed: every call is checked against it",
    "kms": "keys and policies are enforced; objects are not encrypted on disk",
    "lambda": (
        "executed in the sandbox, as the function's role: Python, by the twin's own interpreter, which says where it "
        "stands for another version. Events are kept on disk, tried again after seconds, and brought to destinations "
        "and dead-letter queues as the role may. Event sources are queues and streams of tables. Function URLs are "
        "paths of the twin's address, and let in whom the function's policy lets in. Kinesis, Kafka and tracing are "
        "refused by name, other runtimes and container images when they are invoked"
    ),
    "monitoring": (
        "executed; of metric math everything but searches, anomaly bands, Metrics Insights, slices and calendars is "
        "computed; alarms on a metric or an expression are evaluated every second, and notify topics that allow it"
    ),
    "resource-groups": "recorded",
    "s3": (
        "buckets: executed; lifecycle rules, logging, replication, acceleration, inventory, metrics, analytics and "
        "tiering configurations are recorded, default retention of Object Lock is refused. Objects: see the table; "
        "forms that post an object are executed as their policy says"
    ),
    "scheduler": (
        "executed: functions, queues, topics, state machines, buses, and calls of the AWS SDK to what is listed here, "
        "as the schedule's role; other targets are refused"
    ),
    "secretsmanager": "executed",
    "sns": "executed; e-mail and SMS are recorded",
    "sqs": "executed",
    "ssm": "parameters are executed",
    "states": (
        "executed, as the state machine's role: AWS SDK integrations with all that is listed here, and "
        f"{', '.join(f'{name}{pattern}' for name, patterns in INTEGRATIONS.items() for pattern in patterns)}; "
        "a definition with another one is refused, as is one with a field that is not run: Credentials, ItemBatcher, "
        "ResultWriter, paths to times and to numbers of items, heartbeats of activities, Assign without JSONata. A try "
        "waits a minute at most; what ran when the twin was restarted is FAILED"
    ),
    "sts": "executed",
    "tagging": "executed",
}

BOTOCORE_NAMES = {"monitoring": "cloudwatch", "states": "stepfunctions", "tagging": "resourcegroupstaggingapi"}
"""What botocore calls a service, where it is not its scope."""

REFUSED: frozenset[tuple[str, str]] = frozenset(
    {("ec2", name) for name in ("RunInstances", "StartInstances", "RequestSpotInstances", "CreateFleet")}
    | {("ssm", name) for name in ("SendCommand", "StartAutomationExecution", "StartSession")}
    | {("dynamodb", name) for name in ("ExportTableToPointInTime", "ImportTable")}
    | {("ecr", "GetDownloadUrlForLayer")}
)

# Where a type's name differs from that of its service's scope.
_TYPE_PREFIXES = {
    "cloudwatch": "monitoring",
    "stepfunctions": "states",
    "cdk": "cloudformation",
    "resourcegroups": "resource-groups",
    "custom": "cloudformation",
}


def offers_type(type_name: str) -> bool:
    """Whether a CloudFormation type belongs to a service that the twin offers."""
    if type_name.startswith("Custom::"):
        return True
    prefix = type_name.split("::")[1].lower()
    return _TYPE_PREFIXES.get(prefix, prefix) in SERVICES and type_name not in _REFUSED_TYPES


_REFUSED_TYPES = frozenset({"AWS::EC2::Instance", "AWS::EC2::SpotFleet", "AWS::EC2::EC2Fleet"})
