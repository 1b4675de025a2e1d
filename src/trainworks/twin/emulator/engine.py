"""Loads ministack: configured for one machine, one version, and with the seams that this package touches checked.

ministack's internals are private, so every function that is called or replaced here is listed with its signature.
A version or signature that differs stops the start with a message that names it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import logging
import os
import sys
from types import ModuleType
from typing import Any

from trainworks.errors import TwinError
from trainworks.twin.emulator import cbor, json_depth
from trainworks.twin.home import ACCOUNT_ID, DEFAULT_REGION

MINISTACK_VERSION = "1.5.33"

# One listening socket (ours), no other listeners, no Docker, no init scripts.
_ENVIRONMENT = {
    "AUTH": "true",
    "BIND_HOST": "127.0.0.1",
    "IOT_MTLS_ENABLED": "0",
    "SFTP_ENABLED": "0",
    "PERSIST_STATE": "0",
    "S3_PERSIST": "0",
    "DOCKER_HOST": "unix:///nonexistent/docker.sock",
    "LAMBDA_EXECUTOR": "local",
    "LOG_LEVEL": "WARNING",
    "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
    "MINISTACK_REGION": DEFAULT_REGION,
    "MINISTACK_HOST": "localhost",
}

_EVALUATOR = "core.iam_evaluator"
_RESPONSES = "core.responses"
_CFN = "services.cloudformation"

# Checked at start, because it is always loaded.
CORE_SIGNATURES: dict[tuple[str, str], str] = {
    ("app", "app"): "scope receive send",
    ("app", "_get_module"): "name",
    ("app", "pin_signed_request"): "method raw_path query_params raw_headers handshake",
    ("app", "_reset_all_state"): "",
    (_EVALUATOR, "is_root_access_key"): "access_key_id",
    (_EVALUATOR, "resolve_credential"): "access_key_id account_id session_token",
    (_EVALUATOR, "find_iam_access_key_account"): "access_key_id",
    (_EVALUATOR, "enforce"): "access_key_id iam_action service region resource_arn service_context",
    (_EVALUATOR, "_conditions_met"): "conditions ctx",
    (_EVALUATOR, "_resource_matches"): "resource_arn resources not_resources",
    (_EVALUATOR, "_action_matches"): "request_action actions not_actions",
    ("core.iam_actions", "access_denied_response"): (
        "service action principal_arn request_id error_code message headers resource_arn explicit_deny "
        "resource_policy_arn"
    ),
    ("core.iam_actions", "request_tag_context"): "service iam_action body params",
    ("core.iam_actions", "extract_resource_arn"): "service method path headers body query_params region account_id",
    ("core.iam_actions", "logs_service_context"): "action body resource_arn region account_id",
    ("core.iam_actions", "verified_access_resource_arns"): "query_params region account_id",
    (_EVALUATOR, "_trust_principal_matches"): "principal caller_arn federated",
    ("core.lambda_runtime", "execution_credentials"): "config",
    (_RESPONSES, "request_scope"): "account_id region",
    (_RESPONSES, "AccountScopedDict"): "",
    (_RESPONSES, "AccountRegionScopedDict"): "",
}
# Checked when their service is loaded.
SERVICE_SIGNATURES: dict[str, dict[tuple[str, str], str]] = {
    "dynamodb": {
        ("services.dynamodb", "_set_item"): "table pk_val sk_val item",
        ("services.dynamodb", "_remove_item"): "table pk_val sk_val",
        ("services.dynamodb", "_items_replaced"): "table",
    },
    "iam": {
        ("services.iam", "handle_request"): "method path headers body query_params",
    },
    "lambda_svc": {
        ("services.lambda_svc", "_execute_function_dispatch"): "func config event request_id started",
        ("services.lambda_svc", "handle_request"): "method path headers body query_params",
        ("services.lambda_svc", "_invoke"): "name event headers path_qualifier query_params",
        ("services.lambda_svc", "_resolve_layer_zip"): "attachment",
        ("services.lambda_svc", "_put_provisioned_concurrency"): "func_name qualifier data",
        ("services.lambda_svc", "_get_provisioned_concurrency"): "func_name qualifier",
        ("services.lambda_svc", "_delete_provisioned_concurrency"): "func_name qualifier",
        ("services.lambda_svc", "_build_response_stream"): "payload is_error function_error",
        ("services.lambda_svc", "_run_sqs_batch"): "esm func_rec event batch queue_url queue_name",
        ("services.lambda_svc", "_poll_dynamodb_streams"): "",
        ("services.lambda_svc", "_dispatch_esm_batch"): "esm_id fn args",
        ("services.lambda_svc", "_apply_filter_criteria"): "records esm",
        ("services.lambda_svc", "_create_function_url_config"): "func_name data qualifier",
        ("services.lambda_svc", "resolve_function_url"): "url_id",
        ("services.lambda_svc", "_get_func_record_for_ref"): "function_ref",
        ("services.lambda_svc", "_execute_function"): "func event",
        ("services.lambda_svc", "_create_function"): "data",
        ("services.lambda_svc", "_update_code"): "name data",
        ("services.lambda_svc", "_throttle_response"): "reason_code msg retry_after",
        ("services.lambda_svc", "_snapstart_provision_version_async"): "name ver_record",
    },
    "sqs": {
        ("services.sqs", "_queue_by_arn"): "arn",
        ("services.sqs", "_get_q"): "url action",
        ("services.sqs", "_validate_batch_entries"): "entries entry_name",
        ("services.sqs", "_ensure_msg_fields"): "m",
        ("services.sqs", "_expire_retained"): "q",
        ("services.sqs", "_collect_msgs"): "q max_n vis_timeout",
        ("services.sqs", "_prune_dedup"): "q",
        ("services.sqs", "_refresh_counts"): "q",
        ("services.sqs", "_dlq_sweep"): "q",
        ("services.sqs", "_receive_messages_for_esm"): "queue_url max_number",
        ("services.sqs", "_delete_messages_for_esm"): "queue_url receipt_handles",
        ("services.sqs", "_act_send_message"): "data qurl",
        ("services.sqs", "_act_delete_message"): "data qurl",
        ("services.sqs", "_act_delete_message_batch"): "data qurl",
        ("services.sqs", "_act_change_visibility"): "data qurl",
        ("services.sqs", "_act_change_visibility_batch"): "data qurl",
    },
    "sts": {
        ("services.sts", "register_session"): "access_key session",
        ("services.sts", "_evict_expired_sessions"): "",
    },
    "cloudwatch": {
        ("services.cloudwatch", "_evaluate_alarm"): "alarm",
        ("services.cloudwatch", "_evict_old_metrics"): "",
        ("services.cloudwatch", "_evaluate_all_alarms"): "",
        ("services.cloudwatch", "_dims_key"): "dims",
        ("services.cloudwatch", "_calc_stats"): "points",
        ("services.cloudwatch", "_stat_value"): "stats stat_name points",
        ("services.cloudwatch", "_dispatch_alarm_actions"): "alarm old_state new_state reason",
        ("services.cloudwatch", "_store_datum"): "namespace name dims ts unit value values counts stat_values",
    },
    "eventbridge": {
        ("services.eventbridge", "_put_events"): "data allow_aws_source",
        ("services.eventbridge", "_invoke_target"): "target event rule view",
        ("services.eventbridge", "_events_log_list"): "",
        ("services.eventbridge", "_event_bus_name_from_ref"): "name",
        ("services.eventbridge", "_rule_key"): "rule_name bus_name",
        ("services.eventbridge", "_opaque_offset_encode"): "offset",
        ("services.eventbridge", "_opaque_offset_decode"): "token",
        ("services.eventbridge", "_matches_pattern_view"): "pattern_str view owner",
        ("services.eventbridge", "_apply_input_transformer"): "transformer rule view",
        ("services.eventbridge", "_pattern_event_view"): "event",
    },
    "scheduler": {
        ("services.scheduler", "_create_schedule"): "name body",
        ("services.scheduler", "_update_schedule"): "name body",
        ("services.scheduler", "_error"): "status code message",
    },
    "stepfunctions": {
        ("services.stepfunctions", "_execute_task"): "state_def raw_input execution ctx",
        ("services.stepfunctions", "_test_state"): "data",
        ("services.stepfunctions", "_start_execution"): "data",
        ("services.stepfunctions", "_add_event"): "execution event_type details",
        ("services.stepfunctions", "_run_sub_machine"): "states start_at input_data execution ctx",
        ("services.stepfunctions", "_run_parallel_branches"): "state_def raw_input execution ctx",
        ("services.stepfunctions", "_invoke_resource_with_timeout"): "resource input_data timeout",
        ("services.stepfunctions", "_fail_state_error"): "state_def raw_input ctx",
        ("services.stepfunctions", "_invoke_aws_sdk_integration"): "resource input_data",
        ("services.stepfunctions", "_ExecutionError"): "error cause",
        ("services.stepfunctions", "_evaluate_rule"): "rule data ctx",
        ("services.stepfunctions", "_resolve_path_or_ctx"): "path data ctx",
    },
    "sns": {
        ("services.sns", "_wildcard_matches"): "value pattern",
        ("services.sns", "_sms_log_for"): "phone_number",
    },
    "s3": {
        ("services.s3", "_get_object_data"): "bucket_name key version_id",
        ("services.s3", "_delete_bucket"): "name",
        ("services.s3", "_dispatch"): "method bucket key headers body query_params",
        ("services.s3", "_create_bucket"): "name body headers endpoint_region",
        ("services.s3", "_put_bucket_lifecycle"): "name body",
        ("services.s3", "_get_bucket_lifecycle"): "name",
        ("services.s3", "_error"): "code message status resource extra headers",
        ("services.s3", "_bucket_has_versions"): "name",
        ("services.s3", "_fire_s3_event"): (
            "bucket_name key event_name size etag deletion_type restore_event_data version_id sequencer object_extra "
            "record_extra"
        ),
    },
}
SERVICE_SIGNATURES["tagging"] = {("services.tagging", "_matches_type_filters"): "arn type_filters"}
SERVICE_SIGNATURES["cloudformation"] = {
    (f"{_CFN}.stacks", "_deploy_stack_async"): (
        "stack_name stack_id template param_values disable_rollback tags is_update previous_stack "
        "retain_except_on_create imports"
    ),
    (f"{_CFN}.stacks", "_delete_stack_async"): "stack_name stack_id retain_resources force",
    (f"{_CFN}.stacks", "_roll_back_operation"): "stack_name stack_id stack operation reason_override",
    (f"{_CFN}.stacks", "_continue_update_rollback_async"): "stack_name stack_id resources_to_skip",
    (f"{_CFN}.stacks", "_resolve_stack_outputs"): (
        "outputs_defs conditions resources param_values mappings stack_name stack_id"
    ),
    (f"{_CFN}.stacks", "_resource_policy"): (
        "res_def attribute resources params conditions mappings stack_name stack_id"
    ),
    (f"{_CFN}.stacks", "_topological_sort"): "resources conditions",
    (f"{_CFN}.changesets", "_import_resources_async"): "cs stack new_stack",
    (f"{_CFN}.stacks", "_create_stack_task_in_region"): "coro stack stack_id",
    (f"{_CFN}.stacks", "_runs_on_worker_thread"): "resource_type",
    (f"{_CFN}.stacks", "_failed_operation"): (
        "is_update previous_stack created failed_update failed_logical_id replaced_ids cancelled template "
        "param_values retain_except_on_create stack_tags previous_tags imports"
    ),
    (f"{_CFN}.stacks", "_add_event"): (
        "stack_id stack_name logical_id resource_type status reason physical_id detailed_status"
    ),
    (f"{_CFN}.provisioners", "_update_resource"): (
        "resource_type physical_id old_props new_props stack_name logical_id old_attrs"
    ),
    (f"{_CFN}.provisioners", "_cfn_nested_stack_create"): "logical_id props stack_name",
    (f"{_CFN}.provisioners", "_cfn_nested_stack_update"): "physical_id old_props new_props stack_name",
    (f"{_CFN}.provisioners", "_cfn_nested_stack_delete"): "physical_id props",
    (f"{_CFN}.provisioners", "_check_nested_stack_capabilities"): "parent_stack_name template",
    (f"{_CFN}.provisioners", "_zip_inline"): "source handler runtime",
    (f"{_CFN}.provisioners", "_s3_delete"): "physical_id props",
    (f"{_CFN}.helpers", "_resolve_template"): "params",
    (f"{_CFN}.changesets", "_create_change_set"): "params",
    (f"{_CFN}.changesets", "_describe_change_set"): "params",
    (f"{_CFN}.changesets", "_execute_change_set"): "params",
    (f"{_CFN}.changesets", "_delete_change_set"): "params",
    (f"{_CFN}.changesets", "_find_change_set"): "cs_name stack_name",
}


def load(port: int) -> ModuleType:
    """Import `ministack.app`, configured. Raises `TwinError` for another version or another signature."""
    found = importlib.metadata.version("ministack")
    if found != MINISTACK_VERSION:
        raise TwinError(
            f"ministack {found} is installed; the twin is built on ministack {MINISTACK_VERSION} exactly",
            fix=f"pip install ministack=={MINISTACK_VERSION}",
        )
    # Keys of the user's own AWS account must never reach the emulator or what it starts.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        os.environ.pop(name, None)
    os.environ.update(_ENVIRONMENT)
    os.environ["GATEWAY_PORT"] = str(port)
    cbor.provide()
    json_depth.install()
    app = importlib.import_module("ministack.app")
    logging.getLogger().setLevel(logging.WARNING)
    # Says at every start that signing with KMS keys needs a package that nothing here asks for.
    logging.getLogger("kms").setLevel(logging.ERROR)
    check_signatures(CORE_SIGNATURES)
    return app


def module(name: str) -> Any:
    """A module of ministack by its dotted name below the package. Typed `Any`: it ships no types."""
    full = f"ministack.{name}"
    found = sys.modules.get(full)
    # Several times in every request: the import machinery is asked only for what is not there, or not whole, yet.
    if found is not None and not getattr(found.__spec__, "_initializing", False):
        return found
    return importlib.import_module(full)


def service(name: str) -> Any:
    """A service module, loaded and registered as ministack itself would on the first request."""
    return module("app")._get_module(name)


def scope() -> tuple[str, str]:
    """Account and region of the request that is being answered."""
    responses = module("core.responses")
    return responses.get_account_id(), responses.get_region()


def row(store: Any, account: str, key: str) -> Any:
    """A row of a store by account, only to read it: the row does not count as touched. None if there is none."""
    return dict.get(store._data, (account, key))


def check_signatures(expected: dict[tuple[str, str], str]) -> None:
    """Raise `TwinError` naming the first function whose parameters are not the ones that this package relies on."""
    for (module_name, function), parameters in expected.items():
        target = getattr(module(module_name), function, None)
        found = " ".join(inspect.signature(target).parameters) if callable(target) else None
        if found != parameters:
            raise TwinError(
                f"ministack {importlib.metadata.version('ministack')}: {module_name}.{function} takes "
                f"({found}), the twin relies on ({parameters})",
                fix=f"pip install --force-reinstall ministack=={MINISTACK_VERSION}",
            )
