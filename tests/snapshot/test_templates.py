"""The templates of each profile as they are; what they are meant to be is asserted in the modules beside this one.

A template is a file, by profile and stack, as a person reads it: a text of several lines is a list of its lines, after
a bar.
"""

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
    named = {_name_of(stack): template for stack, template in platform.templates.items()}
    assert len(named) == len(platform.templates)
    for name, template in named.items():
        assert _readable(template) == snapshot_json(name=name)


def _name_of(stack: str) -> str:
    """The constructs on the way to a nested stack."""
    return "-".join(part.partition("NestedStack")[0] for part in stack.split("/")) or "root"


def _readable(value: object) -> object:
    """Without the hashes of assets, which follow from the templates that are compared anyway."""
    if isinstance(value, dict):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_readable(each) for each in value]
    if not isinstance(value, str):
        return value
    text = _ASSET_HASH.sub("<asset>", value)
    return ["|", *text.split("\n")] if "\n" in text else text
