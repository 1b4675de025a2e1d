"""The CDK's own command line against the twin: bootstrap, deploy, diff and destroy of the platform, unchanged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainworks.deploy.clients import Clients
from trainworks.deploy.stacks import describe_stack
from trainworks.testing import TestTwin, temporary_twin

# The first release that reads the assembly's schema version.
CDK_CLI = "aws-cdk@2.1148.1"
REPOSITORY = Path(__file__).resolve().parents[2]
SUFFIX = "cli"

pytestmark = [pytest.mark.node, pytest.mark.slow]


class CdkCli:
    """The installed command line, run in the repository with the environment of one twin."""

    def __init__(self, executable: Path, twin: TestTwin, home: Path) -> None:
        self._executable = executable
        root = twin.home.credentials()
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TRAINWORKS_PYTHON": sys.executable,
            "AWS_ENDPOINT_URL": twin.endpoint_url,
            "AWS_ACCESS_KEY_ID": root.access_key_id,
            "AWS_SECRET_ACCESS_KEY": root.secret_access_key,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DISABLE_CLI_TELEMETRY": "1",
            "CI": "1",
        }
        self._home = home
        self._assembly = home / "cdk.out"

    def synthesizing(self, *arguments: str) -> str:
        """Run where `cdk.json` says what the app is."""
        return self._run(REPOSITORY, *arguments, "--output", str(self._assembly))

    def on_assembly(self, *arguments: str) -> str:
        """Run on what the last `synthesizing` left, which saves the time of another synthesis."""
        return self._run(self._home, *arguments, "--app", str(self._assembly))

    def anywhere(self, *arguments: str) -> str:
        """Run where no app is."""
        return self._run(self._home, *arguments)

    def _run(self, folder: Path, *arguments: str) -> str:
        """What it printed; its exit code has to be 0."""
        command = [str(self._executable), *arguments, "--no-notices"]
        finished = subprocess.run(
            command, cwd=folder, env=self._environment, capture_output=True, text=True, timeout=180, check=False
        )
        printed = finished.stdout + finished.stderr
        assert finished.returncode == 0, printed
        return printed


@pytest.fixture(scope="module")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm is not installed: the CDK CLI cannot be tried")
    folder = tmp_path_factory.mktemp("cdk-cli")
    installed = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), CDK_CLI],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if installed.returncode != 0:
        pytest.skip(f"npm cannot install {CDK_CLI}: {installed.stderr.strip().splitlines()[-1:]}")
    return folder / "node_modules" / ".bin" / "cdk"


@pytest.fixture(scope="module")
def cli_twin() -> Iterator[TestTwin]:
    """A twin without any bootstrap: that is what is tried first."""
    with temporary_twin() as running:
        yield running


def test_the_cdk_cli_bootstraps_deploys_compares_and_destroys(
    executable: Path, cli_twin: TestTwin, tmp_path: Path
) -> None:
    cdk = CdkCli(executable, cli_twin, tmp_path)
    clients = Clients(cli_twin.client)
    stack_name = f"trainworks-{SUFFIX}"

    cdk.anywhere("bootstrap", "aws://000000000000/us-east-1")
    cdk.synthesizing("deploy", stack_name, "--require-approval", "never", "-c", f"environmentSuffix={SUFFIX}")
    deployed = describe_stack(clients.cloudformation, stack_name)
    assert deployed is not None
    assert deployed.status == "CREATE_COMPLETE"
    assert deployed.outputs["EnvironmentSuffix"] == SUFFIX
    assert len(deployed.outputs["PrivateSubnetIds"].split(",")) == 2

    # With --fail a difference is exit code 1.
    cdk.on_assembly("diff", stack_name, "--fail")

    cdk.on_assembly("destroy", stack_name, "--force")
    assert describe_stack(clients.cloudformation, stack_name) is None
