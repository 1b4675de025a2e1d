"""The shipped dev platform, deployed once a worker on the shared twin."""

from __future__ import annotations

import secrets

import pytest

from tests.functional.deploy.platforms import ALLOWED, Recorder, clients_of
from trainworks.assembly import SynthRequest, synthesize
from trainworks.config.profile import PROFILES, ProfileName
from trainworks.deploy.deployer import up
from trainworks.deploy.deployment import deployment_of
from trainworks.testing import TestTwin

ACCOUNT, REGION = "000000000000", "us-east-1"


@pytest.fixture(scope="session")
def outputs(twin: TestTwin, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The root stack's outputs."""
    suffix = f"i{secrets.token_hex(3)}"
    request = SynthRequest(suffix, PROFILES[ProfileName.DEV], ACCOUNT, REGION)
    assembly = synthesize(request, tmp_path_factory.mktemp("assemblies"))
    deployment = deployment_of(assembly, account_id=ACCOUNT, region=REGION)
    return dict(up(deployment, clients_of(twin), Recorder().monitor, ALLOWED).outputs)
