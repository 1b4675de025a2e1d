"""The three platforms as the tests look at them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.snapshot.platform import Platform, Reference
from trainworks.assembly import CloudAssembly
from trainworks.config.profile import PROFILES, ProfileName


@pytest.fixture(scope="session")
def platforms(assemblies: Mapping[ProfileName, CloudAssembly]) -> dict[ProfileName, Platform]:
    return {name: Platform(assemblies[name], profile) for name, profile in PROFILES.items()}


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


@pytest.fixture(scope="session")
def reference() -> Reference:
    """The platform that this one is measured against, as it was synthesized."""
    return Reference.load()
