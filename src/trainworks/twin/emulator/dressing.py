"""Which corrections each service of ministack gets when it is loaded: one table, in the order in which they are put in.

The key is the module's name in `ministack.services`. A correction is a function of the loaded module; a later one may
wrap what an earlier one put in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

from trainworks.twin.emulator import (
    engine,
    parameter_versions,
    plain_pages,
    public_parameters,
    tag_filters,
    topic_names,
)
from trainworks.twin.emulator.cloudformation import (
    corrections,
    drift,
    stack_descriptions,
    stack_events,
    stack_rows,
    update_rules,
)
from trainworks.twin.emulator.cloudformation.nested_change_sets import NestedChangeSets
from trainworks.twin.emulator.cloudformation.resource_types import ResourceTypes
from trainworks.twin.emulator.cloudformation.stack_permissions import StackPermissions
from trainworks.twin.emulator.cloudformation.stacks import Stacks
from trainworks.twin.emulator.cloudwatch import alarm_history, metric_checks, metric_listing, metric_queries
from trainworks.twin.emulator.cloudwatch.alarms import Alarms
from trainworks.twin.emulator.cloudwatch.metric_data import MetricData
from trainworks.twin.emulator.durable.changed_parts import ChangedParts
from trainworks.twin.emulator.durable.growing_lists import GrowingLists
from trainworks.twin.emulator.durable.histories import Histories
from trainworks.twin.emulator.durable.item_rows import TableItems
from trainworks.twin.emulator.ec2 import (
    default_groups,
    ec2_filters,
    network_acls,
    subnet_addresses,
    vpc_endpoints,
)
from trainworks.twin.emulator.events import archives, bus_policies, schedule_listing
from trainworks.twin.emulator.events.event_targets import EventTargets
from trainworks.twin.emulator.functions import (
    concurrency,
    function_permissions,
    path_words,
    routing,
    source_permissions,
)
from trainworks.twin.emulator.functions.async_invocations import AsyncInvocations
from trainworks.twin.emulator.functions.function_urls import FunctionUrls
from trainworks.twin.emulator.functions.lambda_functions import LambdaFunctions
from trainworks.twin.emulator.functions.provisioned import ProvisionedConcurrency
from trainworks.twin.emulator.functions.queue_source import QueueSource
from trainworks.twin.emulator.functions.stream_source import StreamSource
from trainworks.twin.emulator.iam import managed_policies, sessions, simulating
from trainworks.twin.emulator.iam.authorization import Authorization
from trainworks.twin.emulator.logs import log_groups
from trainworks.twin.emulator.logs.log_groups import AttachedLogs
from trainworks.twin.emulator.registry import Registry
from trainworks.twin.emulator.s3 import bucket_requests
from trainworks.twin.emulator.s3.buckets import EmulatorBuckets
from trainworks.twin.emulator.sqs import limits, receiving, requests
from trainworks.twin.emulator.sqs.queues import QueueParts
from trainworks.twin.emulator.step_functions import execution_events, executions, machine_requests, machine_runs
from trainworks.twin.emulator.step_functions.job_tasks import JobTasks
from trainworks.twin.emulator.step_functions.sdk_tasks import SdkTasks
from trainworks.twin.emulator.step_functions.task_permissions import TaskPermissions

Correction = Callable[[ModuleType], None]


@dataclass(frozen=True, slots=True)
class CorrectionParts:
    """The parts that corrections belong to, or ask."""

    authorization: Authorization
    items: TableItems
    queues: QueueParts
    lists: GrowingLists
    histories: Histories
    versions: ChangedParts
    registry: Registry
    functions: LambdaFunctions
    invocations: AsyncInvocations
    urls: FunctionUrls
    queue_source: QueueSource
    stream_source: StreamSource
    provisioned: ProvisionedConcurrency
    metric_data: MetricData
    alarms: Alarms
    logs: AttachedLogs
    event_targets: EventTargets
    sdk_tasks: SdkTasks
    buckets: EmulatorBuckets
    stacks: Stacks
    stack_permissions: StackPermissions
    resources: ResourceTypes


ALONE: Mapping[str, tuple[Correction, ...]] = {
    "ec2": (
        default_groups.install,
        subnet_addresses.install,
        vpc_endpoints.install,
        network_acls.install,
        ec2_filters.install,
    ),
    "iam": (simulating.install, managed_policies.install),
    "sts": (sessions.install,),
    "tagging": (tag_filters.install,),
}
"""Corrections that ask no other part. IAM and STS are loaded by the pieces that the parts use."""


def corrections_of(parts: CorrectionParts) -> Mapping[str, tuple[Correction, ...]]:
    """The corrections of each service that has any."""
    of_data = (metric_checks, metric_queries, metric_listing)
    return {
        **ALONE,
        "cloudformation": (lambda module: _install_stacks(parts, module),),
        "cloudwatch": (
            parts.metric_data.install,
            *(lambda module, each=each: each.install(module, parts.metric_data) for each in of_data),
            parts.alarms.install,
            lambda module: alarm_history.install(module, parts.histories),
        ),
        "cloudwatch_logs": (lambda module: log_groups.install(module, parts.logs),),
        "dynamodb": (parts.items.install, parts.lists.install_streams),
        "ec2": (parts.versions.install_templates, *ALONE["ec2"]),
        "ecr": (parts.versions.install_images, parts.registry.install, plain_pages.install_ecr),
        "eventbridge": (
            lambda module: archives.install(module, parts.histories),
            parts.event_targets.install,
            bus_policies.install,
            parts.invocations.install_events,
        ),
        "lambda_svc": (
            parts.versions.install_functions,
            path_words.install,
            parts.functions.install,
            parts.invocations.install,
            parts.urls.install,
            lambda module: source_permissions.install(module, parts.authorization),
            parts.queue_source.install,
            parts.stream_source.install,
            function_permissions.install,
            routing.install,
            parts.provisioned.install,
            concurrency.install,
        ),
        "s3": (parts.buckets.install, bucket_requests.install, parts.invocations.install_s3),
        "scheduler": (parts.event_targets.install_scheduler, schedule_listing.install),
        "sqs": (
            parts.queues.install,
            receiving.install,
            requests.install,
            limits.install,
            parts.queue_source.install_sqs,
        ),
        "ssm": (public_parameters.install, lambda module: parameter_versions.install(module, parts.histories)),
        "sns": (topic_names.install, parts.lists.install_texts, parts.invocations.install_sns),
        "stepfunctions": (
            parts.sdk_tasks.install,
            TaskPermissions(parts.authorization, parts.sdk_tasks).install,
            JobTasks(parts.sdk_tasks).install,
            lambda module: execution_events.install(module, parts.histories),
            executions.install,
            lambda module: machine_requests.install(module, parts.sdk_tasks.serves),
            plain_pages.install_step_functions,
            machine_runs.install,
        ),
    }


def _install_stacks(parts: CorrectionParts, module: ModuleType) -> None:
    # With the schemas they are half of what CloudFormation costs to load, and a start waits for neither.
    from trainworks.twin.emulator.cloudformation import (  # noqa: PLC0415
        deploy_checks,
        stack_policies,
        stack_targets,
        template_gate,
        type_changes,
    )

    template_gate.install(module)
    type_changes.install(module._ACTION_HANDLERS)
    parts.stacks.install(module, deploy_checks, template_gate.read_template)
    deploy_checks.install()
    stack_rows.install()
    stack_descriptions.install()
    NestedChangeSets().install(module)
    update_rules.install()
    stack_events.install(module, parts.histories)
    corrections.install(parts.buckets)
    drift.install()
    parts.functions.install_types()
    parts.provisioned.install_types(engine.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS)
    table = engine.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS
    routing.install_types(engine.module("services.cloudformation.provisioners"))
    stack_targets.install(table)
    stack_policies.install(table)
    parts.resources.install()
    parts.stack_permissions.install(module)
