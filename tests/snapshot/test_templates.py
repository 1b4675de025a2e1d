"""The templates of each profile as they are; what they are meant to be is asserted in the modules beside this one."""

from __future__ import annotations

import re

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from tests.snapshot.platform import Platform

_ASSET_HASH = re.compile(r"[0-9a-f]{64}")


@pytest.fixture
def snapshot_json(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JSONSnapshotExtension)


def test_templates(platform: Platform, snapshot_json: SnapshotAssertion) -> None:
    def without_hashes(value: object) -> object:
        """The hashes follow from the templates that are compared anyway."""
        if isinstance(value, dict):
            return {key: without_hashes(each) for key, each in value.items()}
        if isinstance(value, list):
            return [without_hashes(each) for each in value]
        return _ASSET_HASH.sub("<asset>", value) if isinstance(value, str) else value

    assert without_hashes(platform.templates) == snapshot_json
