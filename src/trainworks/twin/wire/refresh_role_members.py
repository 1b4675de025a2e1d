"""Rewrites `aws/iam/role_members.json`: which members of which requests pass a role to a service.

    python -m trainworks.twin.wire.refresh_role_members

They are those that the twin asks `iam:PassRole` for (`wire.roles`), of every service of botocore, so that `check` asks
the same of templates without botocore's models, which take seconds to read.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from botocore.loaders import Loader
from botocore.model import Shape, StructureShape

from trainworks.aws.iam.role_members import PATH, REQUIRED
from trainworks.twin.wire.models import MODEL_VERSION, service_model
from trainworks.twin.wire.roles import Path, role_paths


def main() -> int:
    services = {name: entry for name in Loader().list_available_services("service-2") if (entry := entry_of(name))}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(services.items()))
    PATH.write_text(f'{{\n"source": {json.dumps(MODEL_VERSION)},\n"services": {{\n{lines}\n}}\n}}\n', encoding="utf-8")
    count = sum(len(entry["operations"]) for entry in services.values())
    sys.stdout.write(f"{count} operations of {len(services)} services in {PATH.name}\n")
    return 0


def entry_of(service: str) -> dict[str, Any] | None:
    """What is kept of a service: its name in IAM and in the SDKs, and its operations; None if none passes a role."""
    model = service_model(service)
    operations = {
        operation: [_written(service, operation, path) for path in paths]
        for operation in model.operation_names
        if (paths := role_paths(service, operation))
    }
    sdk = str(model.metadata.get("serviceId", service)).lower().replace(" ", "")
    return {"iam": model.signing_name, "sdk": sdk, "operations": operations} if operations else None


def _written(service: str, operation: str, path: Path) -> str:
    shape = service_model(service).operation_model(operation).input_shape
    mark = REQUIRED if shape is not None and _is_required(shape, path) else ""
    return mark + ".".join(path)


def _is_required(shape: Shape, path: Path) -> bool:
    """Whether no valid request lacks the member; what is in a list or a map may not be there."""
    for name in path:
        if not isinstance(shape, StructureShape) or name not in shape.required_members:
            return False
        shape = shape.members[name]
    return shape.type_name == "string"


if __name__ == "__main__":
    sys.exit(main())
