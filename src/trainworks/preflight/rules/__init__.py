"""The table of rules. A rule is a module here, named after what it finds, with `RULE` and a line in the table below."""

from __future__ import annotations

from trainworks.preflight.rule import Rule
from trainworks.preflight.rules import (
    template_problem,
)

RULES: tuple[Rule, ...] = (
    template_problem.RULE,  # TW00
)
