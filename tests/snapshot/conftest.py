"""The three platforms, synthesized once for all tests of all workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.snapshot.platform import Platform
from trainworks.assembly import SynthRequest, synthesize
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.spec.profile import PROFILES, ProfileName

ACCOUNT, REGION = "111111111111", "eu-west-1"


@pytest.fixture(scope="session")
def assembly_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A cache that the workers of one run share."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "assemblies"


@pytest.fixture(scope="session")
def platforms(assembly_cache: Path) -> Iterator[dict[ProfileName, Platform]]:
    with Synthesizer() as synthesizer:
        yield {
            name: Platform(
                profile,
                synthesize(SynthRequest(name.value, profile, ACCOUNT, REGION), assembly_cache, synthesizer.synthesize),
            )
            for name, profile in PROFILES.items()
        }


@pytest.fixture(params=list(ProfileName), ids=str)
def platform(request: pytest.FixtureRequest, platforms: dict[ProfileName, Platform]) -> Platform:
    """Each profile's platform in turn."""
    return platforms[request.param]


@pytest.fixture
def dev(platforms: dict[ProfileName, Platform]) -> Platform:
    return platforms[ProfileName.DEV]


@pytest.fixture
def prod(platforms: dict[ProfileName, Platform]) -> Platform:
    return platforms[ProfileName.PROD]
