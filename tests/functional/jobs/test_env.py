"""What `trainworks env` prints, read by a shell: for the twin, for an account, for the SageMaker SDK."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from trainworks.jobs import Platform
from trainworks.testing import TestTwin

DEFAULTS = "SAGEMAKER_USER_CONFIG_OVERRIDE"
ACCOUNT = '[environments.dev]\nprofile = "dev"\nregion = "eu-west-1"\naws_profile = "mine"\n'


class Shell:
    """A shell that has had some calls of `trainworks env` evaluated, one after the other."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        (folder / "trainworks.toml").write_text(ACCOUNT)
        self.folder = folder
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGE"))}
        self.variables |= {**environment, "XDG_CACHE_HOME": str(folder / "cache")}

    def env(self, *arguments: str) -> Mapping[str, str]:
        """The variables after `eval "$(trainworks env ...)"`."""
        script = 'eval "$("$0" -m trainworks.cli.main env "$@")" && env -0'
        done = self.run(["bash", "-euo", "pipefail", "-c", script, sys.executable, *arguments])
        assert done.returncode == 0, done.stderr
        self.variables = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
        return self.variables

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture
def shell(twin: TestTwin, platform: Platform, tmp_path: Path) -> Shell:
    suffix = platform.environment.environment_suffix
    return Shell(tmp_path, {"TRAINWORKS_HOME": str(twin.home.root), "ENVIRONMENT_SUFFIX": suffix})


def test_the_sagemaker_sdk_gets_the_role_bucket_and_network_of_the_platform(shell: Shell, platform: Platform) -> None:
    variables = shell.env("--sagemaker-sdk")
    assert variables["SAGEMAKER_VALIDATE_ROLE"] == "false"
    file = Path(variables[DEFAULTS])
    assert file.stat().st_mode & 0o077 == 0
    told = yaml.safe_load(file.read_text())["SageMaker"]
    config = platform.outputs.training_job_config
    assert told["TrainingJob"]["RoleArn"] == config["RoleArn"]
    modules = told["PythonSDK"]["Modules"]
    assert modules["Session"] == {
        "DefaultS3Bucket": platform.outputs.model_bucket,
        "DefaultS3ObjectKeyPrefix": "output",
    }
    network = modules["ModelTrainer"]["networking"]
    assert (network["subnets"], network["security_group_ids"]) == tuple(
        config["VpcConfig"][name] for name in ("Subnets", "SecurityGroupIds")
    )
    assert modules["TelemetryOptOut"] is True
    assert shell.env("--sagemaker-sdk")[DEFAULTS] == str(file), "what is the same is written once"


def test_what_an_earlier_call_set_goes_and_what_is_the_users_own_stays(shell: Shell) -> None:
    shell.env("--sagemaker-sdk")
    assert DEFAULTS not in shell.env()
    own = str(shell.folder / "own.yaml")
    shell.variables = {**shell.variables, DEFAULTS: own}
    assert shell.env()[DEFAULTS] == own


def test_keys_of_the_twin_do_not_go_along_to_an_account(shell: Shell) -> None:
    assert "AWS_ACCESS_KEY_ID" in shell.env()
    variables = shell.env("--env", "dev")
    assert {name: value for name, value in variables.items() if name.startswith("AWS_")} == {
        "AWS_PROFILE": "mine", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-1",
    }  # fmt: skip
    shell.variables = {**shell.variables, "AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "own"}
    assert shell.env("--env", "dev")["AWS_ACCESS_KEY_ID"] == "AKIAOWN"
    assert "AWS_PROFILE" not in shell.env()


def test_without_a_platform_the_sdk_is_told_to_deploy_one(shell: Shell) -> None:
    shell.variables = {**shell.variables, "ENVIRONMENT_SUFFIX": "nowhere"}
    done = shell.run([sys.executable, "-m", "trainworks.cli.main", "env", "--sagemaker-sdk"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "not deployed" in done.stderr
    assert "trainworks up" in done.stderr
