"""Clean platforms for mutations.

def test_a_fault(platform: Callable[[str], Draft]) -> None:
    draft = platform("dev")
    draft.properties("Storage/ModelBucket")["BucketName"] = "fault"
    only(draft, RULE)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.unit.preflight.draft import Clean, Draft
from trainworks.assembly import CloudAssembly
from trainworks.assembly.template_files import load_sources
from trainworks.config.profile import ProfileName
from trainworks.preflight.settings import CheckSettings


@pytest.fixture(scope="session")
def clean(assemblies: Mapping[ProfileName, CloudAssembly]) -> Callable[[str], Clean]:
    """The shipped platform of a profile, with its graph: made once, not to be edited."""
    made: dict[str, Clean] = {}

    def get(profile: str) -> Clean:
        if profile not in made:
            sources = load_sources(assemblies[ProfileName(profile)].directory)
            made[profile] = Clean.of(sources, CheckSettings(production=profile == ProfileName.PROD))
        return made[profile]

    return get


@pytest.fixture
def platform(clean: Callable[[str], Clean]) -> Callable[[str], Draft]:
    """A copy of the platform of a profile, to be spoiled."""
    return lambda profile: Draft(clean(profile))
