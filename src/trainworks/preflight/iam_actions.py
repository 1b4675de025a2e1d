"""Which IAM actions know no resources, so that a policy has to name `*` for them.

`data/iam_actions.json` is written by `python -m trainworks.preflight.refresh_iam_actions`.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from trainworks.aws.wildcards import covers

PATH = Path(__file__).parent / "data" / "iam_actions.json"


@lru_cache(maxsize=1)
def _unscoped() -> dict[str, frozenset[str]]:
    data = json.loads(PATH.read_text(encoding="utf-8"))
    return {service: frozenset(names.split()) for service, names in data["unscoped"].items()}


@lru_cache(maxsize=4096)
def may_need_any_resource(action: str) -> bool:
    """Whether `action`, a name or a pattern, is or contains one that knows no resources, or is of a service not listed.

    A pattern such as `ec2:Describe*` holds actions of both kinds; `*` is then the only resource that serves all.
    """
    service, _, name = action.lower().partition(":")
    known = _unscoped().get(service)
    if known is None:
        return True
    if "*" in name or "?" in name:
        return any(covers(name, each) for each in known)
    return name in known
