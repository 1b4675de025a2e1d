"""The table of rules. A rule is a module here, named after what it finds, with `RULE` and a line in the table below."""

from __future__ import annotations

from trainworks.preflight.rule import Rule
from trainworks.preflight.rules import (
    alarm_metric,
    autoscaling,
    batch_refusal,
    blocked_connection,
    broad_permission,
    bucket_lifecycle,
    deletable_data,
    empty_vpc_config,
    endpoint_policy,
    event_target_role,
    fargate_task,
    fixed_name,
    gateway_misses_route_table,
    global_name,
    idle_alarm,
    image_id,
    instances_apart,
    interface_permission,
    job_above_maximum,
    job_too_big,
    key_permission,
    log_group,
    malformed_policy,
    name_length,
    network_acl,
    open_load_balancer,
    queue_visibility,
    quota,
    role_actions,
    role_trust,
    spot_attempts,
    spot_checkpoint,
    spot_fleet_role,
    spot_training_limits,
    template_problem,
    topic_publisher,
    types_beside_optimal,
    unreachable_service,
    useless_output,
    widget_metric,
)

RULES: tuple[Rule, ...] = (
    template_problem.RULE,  # TW00
    empty_vpc_config.RULE,  # TW01
    interface_permission.RULE,  # TW02
    job_too_big.RULE,  # TW03
    types_beside_optimal.RULE,  # TW04
    job_above_maximum.RULE,  # TW05
    fargate_task.RULE,  # TW06
    spot_fleet_role.RULE,  # TW07
    spot_training_limits.RULE,  # TW08
    spot_checkpoint.RULE,  # TW09
    unreachable_service.RULE,  # TW10
    gateway_misses_route_table.RULE,  # TW11
    blocked_connection.RULE,  # TW12
    instances_apart.RULE,  # TW13
    alarm_metric.RULE,  # TW14
    widget_metric.RULE,  # TW15
    idle_alarm.RULE,  # TW16
    topic_publisher.RULE,  # TW17
    name_length.RULE,  # TW18
    fixed_name.RULE,  # TW19
    global_name.RULE,  # TW20
    deletable_data.RULE,  # TW21
    bucket_lifecycle.RULE,  # TW22
    broad_permission.RULE,  # TW23
    role_actions.RULE,  # TW24
    key_permission.RULE,  # TW25
    role_trust.RULE,  # TW26
    quota.RULE,  # TW27
    autoscaling.RULE,  # TW28
    log_group.RULE,  # TW29
    useless_output.RULE,  # TW30
    batch_refusal.RULE,  # TW31
    malformed_policy.RULE,  # TW32
    spot_attempts.RULE,  # TW33
    image_id.RULE,  # TW34
    open_load_balancer.RULE,  # TW35
    queue_visibility.RULE,  # TW36
    event_target_role.RULE,  # TW37
    endpoint_policy.RULE,  # TW38
    network_acl.RULE,  # TW39
)

OWN_RULES = sum(rule.code != template_problem.REFUSED for rule in RULES)
"""How many there are besides TW00, which reports what CloudFormation itself refuses."""
