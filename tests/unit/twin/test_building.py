"""One list of services is behind the front, the fidelity page and CloudFormation."""

from __future__ import annotations

from trainworks.twin import fidelity
from trainworks.twin.building import OWN_SERVICES
from trainworks.twin.resources.registry import OF_SERVICES


def test_the_services_that_are_listed_are_those_that_are_served_in_that_order() -> None:
    served = list(dict.fromkeys(entry.service for entry in fidelity.table()))
    assert served[: len(OWN_SERVICES)] == list(OWN_SERVICES)


def test_resource_types_belong_to_services_that_are_listed() -> None:
    assert OF_SERVICES.keys() <= set(OWN_SERVICES)
