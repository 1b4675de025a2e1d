"""The instances of one job or variant: how many, of which type, and the pool that they come from."""

from __future__ import annotations

from trainworks.aws.instance_types import UnknownInstanceTypeError, instance_type
from trainworks.twin.ports import Compute, Market, PoolSpec
from trainworks.twin.services.sagemaker.refusals import invalid

MAX_INSTANCE_COUNT = 20
"""The twin's limit."""


def check_instance_type(name: str) -> None:
    """Raise `ApiError('ValidationException')` for a type whose size is not known."""
    try:
        instance_type(name)
    except UnknownInstanceTypeError as error:
        raise invalid(f"The twin does not know the size of {name}; {error.fix}") from error


def own_instances(pool_id: str, type_name: str, *, idle_seconds: float, market: Market = Market.ON_DEMAND) -> PoolSpec:
    """The pool of one type for one job or variant: SageMaker shares no instance."""
    return PoolSpec(
        pool_id=pool_id, instance_types=(type_name,), market=market, exclusive=True, idle_seconds=idle_seconds
    )


def gpu_note(compute: Compute, type_name: str, count: int = 1) -> str:
    """What is told if this machine has fewer GPUs than `count` instances would have; "" if it has enough."""
    return compute.gpu_note(f"{type_name} has", instance_type(type_name).gpus, count)
