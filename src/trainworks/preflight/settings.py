"""What the rules need to know besides the templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainworks.preflight.quotas import Quota, shipped_quotas


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """`production`: data has to survive its stack. `quotas`: what the account may have, by name."""

    production: bool = False
    quotas: Mapping[str, Quota] = field(default_factory=shipped_quotas)
