"""What `up` asks before it uploads anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from trainworks.application.checking import refuse_errors_of
from trainworks.assembly import CloudAssembly
from trainworks.config.environment import Environment
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.errors import CheckError

ACCOUNT = "111111111111"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def environment(profile: ProfileName) -> Environment:
    return Environment("mine", False, "mine", PROFILES[profile], "eu-west-1", ACCOUNT)


@pytest.mark.parametrize("profile", list(ProfileName))
def test_the_platform_passes(assemblies: Mapping[ProfileName, CloudAssembly], profile: ProfileName) -> None:
    refuse_errors_of(environment(profile), assemblies[profile], ACCOUNT)


def test_data_that_can_be_lost_does_not_pass_as_production(
    assemblies: Mapping[ProfileName, CloudAssembly], folder: Path
) -> None:
    production = replace(environment(ProfileName.PROD), profile=PROFILES[ProfileName.PROD])
    with pytest.raises(CheckError) as refused:
        refuse_errors_of(production, assemblies[ProfileName.DEV], ACCOUNT)
    assert refused.value.exit_code == 1
    assert "TW21 Storage/ModelBucket" in refused.value.message
    assert "--no-check" in refused.value.fix
    assert {"TW21"} <= {each["code"] for each in refused.value.findings if each["severity"] == "error"}
    (folder / "trainworks-baseline.toml").write_text(
        '[[accepted]]\ncode = "TW21"\nplace = "*"\nreason = "a trial"\ndate = 2026-01-31\n'
    )
    refuse_errors_of(production, assemblies[ProfileName.DEV], ACCOUNT)
