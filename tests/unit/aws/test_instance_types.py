from __future__ import annotations

import pytest

from trainworks.aws.instance_types import (
    UnknownInstanceTypeError,
    expand_instance_types,
    instance_type,
    schedulable_memory_mib,
)


@pytest.mark.parametrize(
    ("name", "vcpus", "gib", "gpus"),
    [
        ("ml.m5.large", 2, 8, 0),
        ("m5.24xlarge", 96, 384, 0),
        ("c5.9xlarge", 36, 72, 0),
        ("r6i.xlarge", 4, 32, 0),
        ("t3.micro", 2, 1, 0),
        ("ml.g4dn.xlarge", 4, 16, 1),
        ("ml.g5.48xlarge", 192, 768, 8),
        ("ml.p3.2xlarge", 8, 61, 1),
        ("ml.p4d.24xlarge", 96, 1152, 8),
        ("ml.p5.48xlarge", 192, 2048, 8),
    ],
)
def test_sizes_as_aws_lists_them(name: str, vcpus: int, gib: int, gpus: int) -> None:
    found = instance_type(name)
    assert (found.vcpus, found.memory_mib, found.gpus) == (vcpus, gib * 1024, gpus)


def test_architecture_and_other_accelerators() -> None:
    assert instance_type("m6g.large").architecture == "arm64"
    assert instance_type("trn1.32xlarge").accelerators == 16
    assert instance_type("trn1.32xlarge").gpus == 0


def test_unknown_type_suggests_what_looks_like_it() -> None:
    with pytest.raises(UnknownInstanceTypeError) as raised:
        instance_type("ml.m5.lage")
    assert "ml.m5.large" in raised.value.fix
    assert "'ml.m5.lage'" in raised.value.message


def test_families_and_optimal_expand_to_types() -> None:
    assert expand_instance_types(["c5"])[0] == "c5.large"
    assert {"c6i.large", "m6i.large", "r6i.24xlarge"} <= set(expand_instance_types(["optimal"]))
    assert expand_instance_types(["m5.large", "m5.large"]) == ("m5.large",)
    with pytest.raises(UnknownInstanceTypeError):
        expand_instance_types(["c99"])


def test_a_host_never_offers_all_of_its_memory() -> None:
    assert 7953 <= schedulable_memory_mib(instance_type("m4.large")) < 8192


def test_arm_defaults_are_arm() -> None:
    assert {instance_type(name).architecture for name in expand_instance_types(["default_arm64"])} == {"arm64"}
