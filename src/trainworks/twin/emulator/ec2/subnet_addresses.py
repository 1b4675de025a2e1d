"""How many addresses of a subnet are free; stock says 251 of every one, whatever its size and whoever is in it.

After "Subnet sizing" (Amazon VPC User Guide): all of the CIDR block but five, less one for each network interface.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

_RESERVED = 5


def install(ec2: Any) -> None:
    """EC2 was loaded: whatever describes a subnet counts its addresses."""
    stock = ec2._subnet_fields_xml

    def subnet_xml(subnet: Mapping[str, Any], *arguments: Any, **named: Any) -> str:
        taken = sum(each["SubnetId"] == subnet["SubnetId"] for each in ec2._network_interfaces.values())
        free = max(0, ipaddress.ip_network(subnet["CidrBlock"]).num_addresses - _RESERVED - taken)
        return str(stock({**subnet, "AvailableIpAddressCount": free}, *arguments, **named))

    ec2._subnet_fields_xml = subnet_xml
