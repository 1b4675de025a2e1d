"""The job verbs as a user runs them: processes, exit codes, JSON, Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_SECONDS
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.framework_images import framework_of, resolve_image
from trainworks.jobs import Platform
from trainworks.testing import TestTwin
from trainworks.twin.compute.frameworks import recipe_of
from trainworks.twin.compute.made import EnvironmentRecord

Run = Callable[..., "subprocess.CompletedProcess[str]"]
SLOW = "import time\nprint('first line', flush=True)\ntime.sleep({seconds})\nprint('last line', flush=True)\n"


@pytest.fixture
def environment(twin: TestTwin, platform: Platform) -> dict[str, str]:
    own = {
        "TRAINWORKS_HOME": str(twin.home.root),
        "ENVIRONMENT_SUFFIX": platform.environment.environment_suffix,
        "COLUMNS": "200",
    }
    return {**os.environ, **own}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    def trainworks(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "trainworks.cli.main", *arguments]
        return subprocess.run(
            argv, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )

    return trainworks


def test_train_describe_logs_metrics_and_jobs(run: Run, script: Any) -> None:
    path = script("print('loss=0.25', flush=True)\n")
    done = run("train", path, "--metric", "loss=loss=([0-9.]+)", "--output", "json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["status"] == "Completed" and "loss=0.25" in done.stderr
    name = facts["name"]
    described = json.loads(run("describe", name, "--output", "json").stdout)
    assert described["metrics"] == {"loss": 0.25}
    bill = json.loads(run("cost", "job", name, "--output", "json").stdout)
    assert described["cost"] == bill
    assert float(bill["total"]["low"]) > 0
    assert "had it run on AWS" in run("describe", name).stdout
    listed = {each["name"]: each for each in json.loads(run("jobs", "--cost", "--output", "json").stdout)}
    assert listed[name]["cost"] == bill
    assert "loss=0.25\n" in run("logs", name).stdout
    assert name in [each["name"] for each in json.loads(run("jobs", "--output", "json").stdout)]
    series = json.loads(run("metrics", name, "--output", "json").stdout)
    assert [each["points"][0]["value"] for each in series if each["name"] == "loss"] == [0.25]
    for verb in ("describe", "metrics"):
        assert "loss" in run(verb, name).stdout


def test_a_failed_job_is_exit_code_1_with_its_reason(run: Run, script: Any) -> None:
    done = run("train", script("raise ValueError('bad data')\n"))
    assert done.returncode == 1
    assert "ended Failed" in done.stderr and "bad data" in done.stderr
    assert "Traceback" in done.stdout


def test_batch_submit_takes_commands_and_scripts(run: Run, script: Any) -> None:
    done = run("batch", "submit", "--command", "--", "python", "-c", "print('in batch')")
    assert done.returncode == 0 and "in batch" in done.stdout.splitlines(), done.stderr
    done = run("batch", "submit", script("import sys; print(sys.argv[1:])"), "a", "-o", "json", "--array-size", "2")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["array_status"] == {"SUCCEEDED": 2}
    assert "[0] ['a']" in done.stderr and "[1] ['a']" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "no-such.py"], "no-such.py does not exist"),
        (["describe", "nobody"], "no training or batch job 'nobody'"),
        (["batch", "submit", "no-such.py"], "no-such.py does not exist"),
        (["image", "build", "no-such-folder"], "no-such-folder is not a folder"),
        (["stop", "nobody"], "no training or batch job 'nobody'"),
    ],
)
def test_wrong_requests_are_exit_code_2(run: Run, arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr and "fix: " in done.stderr


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(
    environment: dict[str, str], run: Run, script: Any, platform: Platform
) -> None:
    argv = [sys.executable, "-m", "trainworks.cli.main", "train", script(SLOW.format(seconds=3)), "--name"]
    name = f"ctrl-c-{platform.environment.environment_suffix}"
    with subprocess.Popen(
        [*argv, name],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as following:
        assert following.stdout is not None and following.stderr is not None
        while following.stdout.readline() != "first line\n":
            assert following.poll() is None, following.stderr.read()
        os.killpg(following.pid, signal.SIGINT)
        said = following.stderr.read()
        assert following.wait(timeout=PATIENCE_SECONDS) == 130
    assert f"trainworks logs -f {name}" in said
    assert "Traceback" not in said
    back = run("logs", "-f", name)
    assert back.returncode == 0, back.stderr
    assert "last line" in back.stdout


def test_detach_and_stop(run: Run, script: Any) -> None:
    done = run("train", script(SLOW.format(seconds=60)), "--detach")
    name = done.stdout.strip()
    assert done.returncode == 0 and name.startswith("script-")
    stopped = run("stop", name, "--wait", "--output", "json")
    assert json.loads(stopped.stdout)["status"] == "Stopped", stopped.stderr


def test_a_platform_that_is_not_deployed_says_so(run: Run, environment: dict[str, str], script: Any) -> None:
    environment["ENVIRONMENT_SUFFIX"] = "nowhere"
    done = run("train", script("print(1)"))
    assert done.returncode == 2
    assert "no stack trainworks-nowhere" in done.stderr and "trainworks up" in done.stderr


def test_a_twin_that_does_not_run_says_so(run: Run, environment: dict[str, str], tmp_path: Any) -> None:
    environment["TRAINWORKS_HOME"] = str(tmp_path)
    done = run("jobs")
    assert done.returncode == 1
    assert "the twin is not running" in done.stderr and "trainworks twin start" in done.stderr


@pytest.mark.usefixtures("ctrl_c")
def test_a_job_that_fits_no_host_is_said_to_wait_with_the_reason_and_stays(
    environment: dict[str, str], run: Run, platform: Platform
) -> None:
    name = f"too-large-{platform.environment.environment_suffix}"
    submit = ["batch", "submit", "--memory-mib", "9000000", "--name", name, "--command", "--", "true"]
    with subprocess.Popen(
        [sys.executable, "-m", "trainworks.cli.main", *submit],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as following:
        assert following.stderr is not None
        said = []
        while not said or f"trainworks doctor {name}" not in said[-1]:
            said.append(following.stderr.readline())
            assert said[-1], "".join(said)
        os.killpg(following.pid, signal.SIGINT)
        last = following.stderr.read()
        assert following.wait(timeout=PATIENCE_SECONDS) == 130
    assert any("RUNNABLE" in line and "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT" in line for line in said)
    assert f"trainworks logs -f {name}" in last
    assert json.loads(run("describe", name, "--output", "json").stdout)["status"] == "RUNNABLE"
    assert "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT" in run("doctor", name).stdout
    assert run("stop", name).returncode == 0


def test_requirements_without_a_way_to_an_index_are_told_of_by_the_deployed_subnets(
    run: Run, twin: TestTwin, platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text("print(1)\n")
    (tmp_path / "requirements.txt").write_text("--no-index\n--find-links .\n")
    argv = ("train", str(tmp_path / "train.py"), "--source-dir", str(tmp_path), "--detach")
    [subnet] = platform.outputs.training_job_config["VpcConfig"]["Subnets"]
    told = run(*argv)
    assert told.returncode == 0, told.stderr
    assert f"the job's subnet {subnet} has no route to the internet" in told.stderr
    ec2 = twin.client("ec2")
    [described] = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    vpc_id = described["VpcId"]

    def routed(**target: str) -> str:
        table: str = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
        return table

    block = described["CidrBlock"].split(".")
    public = ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"{block[0]}.{block[1]}.250.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    ec2.associate_route_table(RouteTableId=routed(GatewayId=gateway), SubnetId=public)
    table = routed(NatGatewayId=ec2.create_nat_gateway(SubnetId=public)["NatGateway"]["NatGatewayId"])
    link = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    try:
        told = run(*argv)
    finally:
        ec2.disassociate_route_table(AssociationId=link)
    assert told.returncode == 0 and "route to the internet" not in told.stderr, told.stderr


def test_what_to_do_names_the_environment(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "trainworks.toml").write_text("[environments.one]\ntwin = true\n")
    done = subprocess.run(
        [sys.executable, "-m", "trainworks.cli.main", "status", "--env", "one"],
        env={**environment, "ENVIRONMENT_SUFFIX": "nobody"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert "fix: trainworks up --env one\n" in done.stdout, done.stderr


def test_made_framework_images_are_listed_and_told_of_a_job(
    run: Run, script: Any, twin: TestTwin, platform: Platform
) -> None:
    image = resolve_image("scikit-learn", platform.outputs.region, "ml.m5.large")
    uri = parse_ecr_uri(image)
    assert uri is not None
    framework = framework_of(uri)
    assert framework is not None
    recipe = recipe_of(framework, uri, has_gpus=False)
    place = twin.home.images_dir / recipe.name
    place.mkdir()
    try:
        made = EnvironmentRecord(recipe.image, "3.11.0", {"scikit-learn": "1.4.2"}, ("scikit-learn",), (), 5 << 20, 1.0)
        (place / "made.json").write_text(json.dumps(asdict(made)))
        (place / "env" / "bin").mkdir(parents=True)
        (place / "env" / "bin" / "python").symlink_to(sys.executable)
        (place / "ready").touch()
        listed = {each.get("name"): each for each in json.loads(run("image", "list", "--output", "json").stdout)}
        assert listed[recipe.name]["versions"] == "scikit-learn 1.4.2"
        assert "scikit-learn 1.4.2" in run("image", "list").stdout
        done = run("train", script("print(1)\n"), "--image", "scikit-learn", "--output", "json")
        name = json.loads(done.stdout)["name"]
        assert f"{recipe.name}, scikit-learn 1.4.2, 5 MiB" in run("describe", name).stdout
        described = json.loads(run("describe", name, "--output", "json").stdout)
        assert described["image_environment"]["name"] == recipe.name
    finally:
        shutil.rmtree(place)
