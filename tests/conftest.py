"""Fixtures that every part's tests share."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from trainworks.assembly import CloudAssembly, SynthRequest, synthesize
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.testing import TestTwin
from trainworks.twin.job_files import remove_whole
from trainworks.twin.supervisor import DIED

# A property is about values. How long one takes is the machine's business, which may be busy.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A twin of a test downloads no framework: the interpreter in use stands for AWS's framework images, as the log says.
# Tests of images that are made set this themselves, with an index of their own.
os.environ["TRAINWORKS_FRAMEWORK_IMAGES"] = "in-use"

ACCOUNT, REGION = "111111111111", "eu-west-1"


@pytest.fixture(scope="session")
def assembly_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A cache that the workers of one run share."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "assemblies"


@pytest.fixture(scope="session")
def assemblies(assembly_cache: Path) -> Mapping[ProfileName, CloudAssembly]:
    """The three platforms as they are shipped, synthesized once for all tests of all workers.

    They have a cache of their own: tests of overrides fill the other one until its oldest entries go.
    """
    cache = assembly_cache.with_name("profiles")
    with Synthesizer() as synthesizer:
        return {
            name: synthesize(SynthRequest(name.value, profile, ACCOUNT, REGION), cache, synthesizer.synthesize)
            for name, profile in PROFILES.items()
        }


@pytest.fixture(scope="session")
def twin() -> Iterator[TestTwin]:
    """One running twin for all tests of this process; tests use names of their own in it.

    Its home has a short path, because the instances' Unix sockets are below it.
    Its supervisor would start it again if it died: that no request of any test killed it is looked at here.
    """
    root = Path(tempfile.mkdtemp(prefix="tw-"))
    try:
        with TestTwin(root / "home") as running:
            yield running
            said = running.home.log_file.read_text(errors="replace")
            assert DIED not in said, f"the server died while tests ran:\n{said[-5000:]}"
    finally:
        remove_whole(root)


@pytest.fixture
def own_twin(tmp_path: Path) -> Iterator[TestTwin]:
    """A twin of one test alone, for tests that kill, restart or reset it."""
    root = Path(tempfile.mkdtemp(prefix="tw-"))
    try:
        with TestTwin(root / "home") as running:
            yield running
    finally:
        remove_whole(root)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Commands hear Ctrl-C: those of tests that were started in the background inherit that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
