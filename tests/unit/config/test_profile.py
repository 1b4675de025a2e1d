from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from trainworks.config.profile import PROFILES, EnvironmentProfile, NotebookProfile, ProfileName
from trainworks.config.validation import InvalidValueError, checked


@pytest.mark.parametrize("name", ProfileName)
def test_shipped_profiles_pass_their_own_checks(name: ProfileName) -> None:
    assert checked(EnvironmentProfile, asdict(PROFILES[name])) == PROFILES[name]


def test_profiles_grow_from_dev_to_prod() -> None:
    profiles = [PROFILES[name] for name in (ProfileName.DEV, ProfileName.STAGING, ProfileName.PROD)]
    assert [each.batch.max_vcpus for each in profiles] == [16, 64, 256]
    assert [each.monitoring.log_retention_days for each in profiles] == [7, 30, 365]
    assert [each.storage.retain for each in profiles] == [False, False, True]
    assert [each.notebook is not None for each in profiles] == [True, True, False]


def test_a_repository_of_notebooks_needs_a_way_out() -> None:
    notebook = NotebookProfile(default_code_repository="https://example.com/notebooks.git")
    with pytest.raises(ValueError, match=r"needs network.egress nat-gateway, not public-ip"):
        replace(PROFILES[ProfileName.DEV], notebook=notebook)


def test_a_missing_value_is_named() -> None:
    values = asdict(PROFILES[ProfileName.DEV])
    del values["batch"]["max_vcpus"]
    with pytest.raises(InvalidValueError) as raised:
        checked(EnvironmentProfile, values)
    assert raised.value.keys == ("batch", "max_vcpus")
    assert raised.value.message == "is missing"
