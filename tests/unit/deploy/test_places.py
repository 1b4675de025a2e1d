"""Construct paths for logical ids, also where two nested stacks have the same logical id."""

from __future__ import annotations

from tests.unit.deploy.cloudformation import NETWORK_ID, ROOT_ID, event, of_nested
from trainworks.assembly.places import Places, places_of
from trainworks.deploy.events import STACK_TYPE, from_api
from trainworks.deploy.stack_paths import StackPaths

NETWORK = "NetworkNestedStackNetworkNestedStackResource1A2B3C4D"
STORAGE = "StorageNestedStackStorageNestedStackResource5E6F7A8B"
PATHS = [
    ("platform/Network.NestedStack/Network.NestedStackResource", NETWORK),
    ("platform/Storage.NestedStack/Storage.NestedStackResource", STORAGE),
    ("platform/Storage/Key/Resource", "Key"),
    ("platform/Network/Key/Resource", "Key"),
    ("platform/Network/Vpc/Default", "Vpc1"),
]
TEMPLATES = {
    (): {"Resources": {NETWORK: {"Type": STACK_TYPE}, STORAGE: {"Type": STACK_TYPE}}},
    (NETWORK,): {"Resources": {"Key": {}, "Vpc1": {}}},
    (STORAGE,): {"Resources": {"Key": {}}},
}


def test_the_same_logical_id_in_two_nested_stacks_has_two_places() -> None:
    places = places_of("platform", PATHS, TEMPLATES)
    assert places.resource((NETWORK,), "Key") == "Network/Key"
    assert places.resource((STORAGE,), "Key") == "Storage/Key"
    assert places.resource((NETWORK,), "Vpc1") == "Network/Vpc"
    assert places.resource((), NETWORK) == "Network"
    assert places.stack((STORAGE,)) == "Storage"


def test_without_an_assembly_logical_ids_stand_for_themselves() -> None:
    places = Places("platform")
    assert places.stack(()) == "platform"
    assert places.stack((NETWORK,)) == "Network"
    assert places.resource((NETWORK,), "Vpc1") == "Network/Vpc1"
    assert places.stack(("Handwritten",)) == "Handwritten"


def test_ways_are_learnt_from_the_parents_events() -> None:
    stack_paths = StackPaths(ROOT_ID)
    stack_paths.learn([event("a", "CREATE_COMPLETE"), from_api(of_nested("b", "CREATE_IN_PROGRESS"))])
    assert stack_paths.stack_path(ROOT_ID) == ()
    assert stack_paths.stack_path(NETWORK_ID) == ("Network",)
