"""Every container of ministack that the twin loads is known here, with what bounds it: a new one fails by its name."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from trainworks.twin.emulator.members.reading import _MODULES
from trainworks.twin.emulator.services import SERVICES

_MAKERS = {
    "AccountScopedDict", "AccountRegionScopedDict", "dict", "list", "set", "defaultdict", "deque", "OrderedDict",
    "WeakValueDictionary", "Queue", "SimpleQueue",
}  # fmt: skip
_ALSO_LOADED = ("cloudwatch_logs", "cloudformation/wait_conditions", "cloudformation/custom_resource", "iam", "sts")

_LIVE = "resources: as many as a user makes and has not deleted"
_OF_LIVE = "attributes of resources, which go with them, or one row for each that was made"
_WAITS = "what is in work: gone with who waits for it, and not stored"
_FIXED = "filled from code, or a switch"
_EMPTY = "nothing is put into it: what would is refused, or done by the twin's own services"
_HISTORY = "a history: a row per entry, an end by age or number (`durable/histories.py`)"
_LIST = "a row per entry (`durable/growing_lists.py`, `durable/changed_parts.py`, `durable/item_rows.py`, `sqs/`)"
_AGE = "goes when it is too old"

BOUNDS: Mapping[str, Mapping[str, str]] = {
    _LIVE: {
        "budgets": "_budgets",
        "cloudformation": "_exports _change_sets",
        "cloudwatch": "_alarms _composite_alarms _dashboards",
        "dynamodb": "_backups",
        "ec2": "_addresses _customer_gateways _dhcp_options _egress_igws _flow_logs _images _internet_gateways "
        "_key_pairs "
        "_nat_gateways _network_acls _network_interfaces _placement_groups _prefix_lists _route_tables "
        "_security_groups _snapshots _subnets _va_endpoints _va_groups _va_instances _va_trust_providers _volumes "
        "_vpc_endpoints _vpc_peering _vpcs _vpn_connections _vpn_gateways",
        "ecr": "_repositories",
        "eventbridge": "_api_destinations _connections _endpoints _event_buses _partner_event_sources _rules _targets",
        "iam": "_access_keys _account_aliases _groups _instance_profiles _login_profiles _mfa_devices _oidc_providers "
        "_policies _roles _saml_providers _users",
        "kms": "_aliases _grants _keys",
        "lambda_svc": "_esms _function_urls",
        "resource_groups": "_groups",
        "s3": "_access_points _buckets _mraps _object_lambda_access_points",
        "scheduler": "_schedule_groups _schedules",
        "secretsmanager": "_secrets",
        "sns": "_platform_applications _platform_endpoints _sub_arn_to_topic _topics",
        "sqs": "_queue_name_to_url",
        "ssm": "_parameters",
        "stepfunctions": "_activities _state_machine_aliases _state_machine_versions _state_machines",
    },
    _OF_LIVE: {
        "budgets": "_notification_store _tags",
        "cloudwatch": "_composite_triggers _resource_tags",
        "dynamodb": "_contributor_insights _kinesis_destinations _pitr_settings _resource_policies _stream_trimmed "
        "_tags _ttl_settings",
        "ec2": "_default_initialized_scopes _iam_instance_profile_associations _tags",
        "ecr": "_lifecycle_policies _repo_policies",
        "eventbridge": "_event_bus_policies _oauth_tokens _rule_last_fired _tags",
        "iam": "_account_password_policy _aws_managed_attachment_counts _credential_reports _group_inline_policies "
        "_user_inline_policies _service_linked_role_deletion_tasks _sla_jobs",
        "kms": "_alias_dates",
        "lambda_svc": "_dynamodb_stream_positions _esm_backoff_until _kinesis_positions _provided_code_dirs "
        "_docker_extract_dirs",
        "resource_groups": "_account_settings _group_configs _group_members _group_queries _group_tags",
        "s3": "_bucket_accelerate_config _bucket_acl _bucket_cors _bucket_encryption _bucket_lifecycle "
        "_bucket_logging_config _bucket_notifications _bucket_object_lock _bucket_policies _bucket_replication "
        "_bucket_request_payment_config _bucket_tags _bucket_versioning _bucket_websites _mrap_operations",
        "scheduler": "_schedule_last_fired _tags",
        "secretsmanager": "_resource_policies",
        "ssm": "_service_settings _tags",
        "stepfunctions": "_tags",
    },
    _WAITS: {
        "cloudformation.custom_resource": "_pending",
        "cloudformation.wait_conditions": "_handles _waiting",
        "ecr": "_uploads",
        "lambda_svc": "_esm_inflight _inflight _revision_locks _warm_pool",
        "stepfunctions": "_activity_tasks _task_tokens",
    },
    _FIXED: {
        "ec2": "_VA_STORES",
        "iam": "_aws_managed_policies",
        "sqs": "_HANDLERS",
        "stepfunctions": "_sfn_mock_config",
    },
    _EMPTY: {
        "cloudwatch": "_metrics",
        "cloudwatch_logs": "_deliveries _delivery_destinations _delivery_sources _destinations _live_tail_sessions "
        "_log_group_policies _log_groups _log_records _metric_filters _queries _resource_policies",
        "dynamodb": "_exports _imports",
        "ec2": "_fleets _instances",
        "ecr": "_layer_blobs _manifest_blobs",
        "eventbridge": "_events_log",
        "lambda_durable": "_callback_index _executions _resume_queue",
        "s3": "_completed_multipart_uploads _multipart_uploads _object_acl _object_annotations _object_legal_hold "
        "_object_retention _object_tags _object_versions _olap_requests",
        "ssm": "_commands",
        "stepfunctions": "_history_page_tokens",
    },
    _HISTORY: {
        "cloudformation": "_stack_events",
        "cloudwatch": "_alarm_history",
        "ssm": "_parameter_history",
    },
    _LIST: {
        "dynamodb": "_stream_records _tables",
        "ec2": "_launch_templates",
        "ecr": "_images",
        "eventbridge": "_archives",
        "lambda_svc": "_functions _layers",
        "sns": "_sms_messages",
        "sqs": "_queues",
    },
    _AGE: {
        "cloudformation": "_stacks",
        "dynamodb": "_closed_streams _txn_idempotency",
        "eventbridge": "_replays",
        "stepfunctions": "_executions _map_runs",
        "sts": "_sessions",
    },
}


@cache
def containers() -> frozenset[str]:
    """`module.name` of each container at the top of a module that the twin loads, that is empty when it is made."""
    spec = importlib.util.find_spec("ministack")
    assert spec is not None
    assert spec.origin is not None
    services = Path(spec.origin).parent / "services"
    modules = {module for scope in SERVICES for module in _MODULES.get(scope, (scope.replace("-", "_"),))}
    return frozenset(
        f"{module.removesuffix('/__init__').replace('/', '.')}.{name}"
        for module in modules | set(_ALSO_LOADED)
        for name in made_empty(ast.parse((services / f"{module}.py").read_text()))
    )


def made_empty(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and is_empty(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def is_empty(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return called in _MAKERS and (not value.args or called == "defaultdict")
    return (isinstance(value, ast.Dict) and not value.keys) or (isinstance(value, ast.List) and not value.elts)


def test_what_bounds_each_container_is_known() -> None:
    known = [
        f"{module}.{name}" for bound in BOUNDS.values() for module, names in bound.items() for name in names.split()
    ]
    assert len(known) == len(set(known))
    new, gone = containers() - set(known), set(known) - containers()
    assert not new, f"say in BOUNDS what bounds {sorted(new)}, and make calls that fill them in test_flat_calls.py"
    assert not gone, f"no longer in ministack: {sorted(gone)}"
