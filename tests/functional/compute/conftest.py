from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.compute.harness import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    running = Bench(tmp_path / "home")
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def sandboxed(bench: Bench) -> Bench:
    """A bench whose tasks run in namespaces; skipped where the machine has none."""
    if bench.compute.sandbox_mode() == "off":
        pytest.skip(bench.compute.sandbox_warning())
    return bench


@pytest.fixture
def unsandboxed(tmp_path: Path) -> Iterator[Bench]:
    running = Bench(tmp_path / "home", sandbox="off")
    try:
        yield running
    finally:
        running.close()
