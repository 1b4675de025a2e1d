"""Fixtures that every part's tests share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainworks.testing import TestTwin


@pytest.fixture(scope="session")
def twin() -> Iterator[TestTwin]:
    """One running twin for all tests of this process; tests use names of their own in it.

    Its home has a short path, because the instances' Unix sockets are below it.
    """
    root = Path(tempfile.mkdtemp(prefix="tw-"))
    try:
        with TestTwin(root / "home") as running:
            yield running
    finally:
        shutil.rmtree(root)


@pytest.fixture
def own_twin(tmp_path: Path) -> Iterator[TestTwin]:
    """A twin of one test alone, for tests that kill, restart or reset it."""
    root = Path(tempfile.mkdtemp(prefix="tw-"))
    try:
        with TestTwin(root / "home") as running:
            yield running
    finally:
        shutil.rmtree(root)
