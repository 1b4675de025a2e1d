"""The table of rules. A rule is a module here, named after what it finds, with `RULE` and a line in the table below."""

from __future__ import annotations

from trainworks.preflight.rule import Rule
from trainworks.preflight.rules import (
    blocked_connection,
    empty_vpc_config,
    fargate_task,
    gateway_misses_route_table,
    instances_apart,
    job_above_maximum,
    job_too_big,
    spot_fleet_role,
    spot_training_limits,
    template_problem,
    types_beside_optimal,
    unreachable_service,
)

RULES: tuple[Rule, ...] = (
    template_problem.RULE,  # TW00
    empty_vpc_config.RULE,  # TW01
    job_too_big.RULE,  # TW03
    types_beside_optimal.RULE,  # TW04
    job_above_maximum.RULE,  # TW05
    fargate_task.RULE,  # TW06
    spot_fleet_role.RULE,  # TW07
    spot_training_limits.RULE,  # TW08
    unreachable_service.RULE,  # TW10
    gateway_misses_route_table.RULE,  # TW11
    blocked_connection.RULE,  # TW12
    instances_apart.RULE,  # TW13
)
