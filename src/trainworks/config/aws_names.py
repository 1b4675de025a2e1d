"""Names that AWS gives and a setting may be wrong about: regions and instance types.

What is known comes with botocore, so a name that is newer than it needs a newer botocore, and the fix says so. A name
is refused rather than warned of: a typo would otherwise show only when a stack rolls back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from trainworks.aws.instance_types import (
    FARGATE_FAMILY,
    UnknownInstanceTypeError,
    ec2_instance_types,
    instance_type,
)
from trainworks.config.constraints import NotAllowedError

_SHIPPED_NOTEBOOK_TYPE = "ml.t3.medium"


def check_region(name: str) -> None:
    """Raises `NotAllowedError` for what is not a region of any partition."""
    if name not in regions():
        raise _not_known(name, "AWS region", regions())


def check_batch_instance_type(name: str) -> None:
    """Raises `NotAllowedError` for a type that neither the table of sizes nor botocore's model of EC2 knows."""
    if _is_in_table(name):
        return
    # The model of EC2 is large: it is opened for a name that the table does not have.
    known = _enumeration("ec2", "InstanceType")
    if name not in known:
        raise _not_known(name, "EC2 instance type", known)


def check_notebook_instance_type(name: str) -> None:
    """Raises `NotAllowedError` for a type that `CreateNotebookInstance` does not have."""
    if name == _SHIPPED_NOTEBOOK_TYPE:
        return
    known = _enumeration("sagemaker", "InstanceType")
    if name not in known:
        raise _not_known(name, "instance type of SageMaker notebooks", known)


def batch_instance_types() -> tuple[str, ...]:
    """All that `check_batch_instance_type` lets pass."""
    return tuple(sorted({*ec2_instance_types(), *_enumeration("ec2", "InstanceType")}))


def notebook_instance_types() -> tuple[str, ...]:
    """All that `check_notebook_instance_type` lets pass."""
    return tuple(sorted({_SHIPPED_NOTEBOOK_TYPE, *_enumeration("sagemaker", "InstanceType")}))


def _is_in_table(name: str) -> bool:
    try:
        found = instance_type(name)
    except UnknownInstanceTypeError:
        return False
    return found.name == name and found.family != FARGATE_FAMILY


@cache
def regions() -> tuple[str, ...]:
    """Every region that botocore knows, of all partitions."""
    # Read as a file: commands that ask AWS nothing do without the import of botocore and of importlib.resources.
    spec = find_spec("botocore")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'botocore'", name="botocore")
    text = (Path(spec.origin).parent / "data" / "partitions.json").read_text(encoding="utf-8")
    found = (name for partition in json.loads(text)["partitions"] for name in partition["regions"])
    return tuple(name for name in found if not name.endswith("-global"))


@cache
def _enumeration(service_name: str, shape_name: str) -> tuple[str, ...]:
    from botocore.loaders import Loader  # noqa: PLC0415 - for a name that is not in the table

    return tuple(Loader().load_service_model(service_name, "service-2")["shapes"][shape_name]["enum"])


def _not_known(name: str, what: str, known: Iterable[str]) -> NotAllowedError:
    from difflib import get_close_matches  # noqa: PLC0415 - for an error alone
    from importlib import metadata  # noqa: PLC0415

    close = get_close_matches(name, list(known), n=3, cutoff=0.75)
    upgrade = "if it is new at AWS: pip install --upgrade botocore"
    return NotAllowedError(
        f"is {name!r}; allowed: an {what} that botocore {metadata.version('botocore')} knows",
        fix=f"did you mean {' or '.join(close)}? {upgrade[0].upper()}{upgrade[1:]}" if close else upgrade,
    )
