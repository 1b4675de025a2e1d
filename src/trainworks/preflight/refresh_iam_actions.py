"""Rewrites `data/iam_actions.json` from the service authorization reference that cfn-lint ships.

    python -m trainworks.preflight.refresh_iam_actions

For each service in the file it keeps the actions that cannot be limited to resources.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib import metadata
from importlib.resources import files
from typing import Any

from trainworks.preflight.iam_actions import PATH

ADDED = {"cloudwatch": frozenset({"putmetricdata"})}
"""Counted among them: the only resource of `PutMetricData` is a new kind that ordinary metrics do not have."""


def main() -> int:
    written: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    services = {service: unscoped(service, reference()) for service in written["unscoped"]}
    PATH.write_text(page(services, metadata.version("cfn-lint"), datetime.now(UTC).date()), encoding="utf-8")
    sys.stdout.write(f"{sum(map(len, services.values()))} actions of {len(services)} services in {PATH.name}\n")
    return 0


def reference() -> Mapping[str, Any]:
    """Services, their actions in lower case, and the kinds of resources of each."""
    text = files("cfnlint").joinpath("data/AdditionalSpecs/Policies.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def unscoped(service: str, known: Mapping[str, Any]) -> list[str]:
    """The service's actions that know no resources."""
    names = {name for name, action in known[service]["Actions"].items() if not action.get("Resources")}
    return sorted(names | ADDED.get(service, frozenset()))


def page(services: Mapping[str, list[str]], version: str, day: date) -> str:
    """The file: one line for a service."""
    head = {
        "source": f"cfn-lint {version}, data/AdditionalSpecs/Policies.json (AWS service authorization reference)",
        "date": day.isoformat(),
        "about": "Actions that know no resources, so that a policy has to name `*`; lower case.",
    }
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(' '.join(names))}" for name, names in services.items())
    top = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items())
    return f'{{\n{top},\n "unscoped": {{\n{lines}\n }}\n}}\n'


if __name__ == "__main__":
    sys.exit(main())
