"""How large an unknown cost probably is: it decides which unknowns are named first, and is never shown or added."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from trainworks.cost.metering import Choice, Meter
from trainworks.cost.price_files import shipped_prices
from trainworks.cost.prices import PriceTable

_REGION_WITH_MOST_PRICES = "us-east-1"
_LARGE, _MIDDLE, _SMALL = Decimal(1000), Decimal(100), Decimal(10)

# Words of a resource type's name that tell what stands behind it.
_BY_WORD: Mapping[str, Decimal] = {
    "Cluster": _LARGE,
    "CapacityReservation": _LARGE,
    "Domain": _LARGE,
    "Fleet": _LARGE,
    "Host": _LARGE,
    "MicrosoftAD": _LARGE,
    "AutoScalingGroup": _MIDDLE,
    "Broker": _MIDDLE,
    "CertificateAuthority": _MIDDLE,
    "ComputeEnvironment": _MIDDLE,
    "DBInstance": _MIDDLE,
    "Endpoint": _MIDDLE,
    "Environment": _MIDDLE,
    "FileSystem": _MIDDLE,
    "Firewall": _MIDDLE,
    "Instance": _MIDDLE,
    "MlflowTrackingServer": _MIDDLE,
    "MonitoringSchedule": _MIDDLE,
    "Nodegroup": _MIDDLE,
    "ReplicationGroup": _MIDDLE,
    "Server": _MIDDLE,
    "Stack": _MIDDLE,
    "Workgroup": _MIDDLE,
    "Workspace": _MIDDLE,
}


def likely_amount(reading: Meter | Choice) -> Decimal:
    """What a meter without a price here would cost where most prices are known; nothing if that has none either."""
    meters = (reading,) if isinstance(reading, Meter) else reading.options
    found = [price.high * each.quantity for each in meters if (price := _elsewhere().range_of(each.keys)) is not None]
    return max(found, default=Decimal(0))


def likely_size(resource_type: str) -> Decimal:
    """The size of what a type usually costs a month, by its name."""
    name = resource_type.rpartition("::")[2]
    return max((size for word, size in _BY_WORD.items() if name.endswith(word)), default=_SMALL)


@cache
def _elsewhere() -> PriceTable:
    return shipped_prices(_REGION_WITH_MOST_PRICES)
