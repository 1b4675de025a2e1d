"""The examples, as their pages say: through a shell, against a running twin."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

from trainworks.testing import TestTwin

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def shell(command: str, twin: TestTwin) -> subprocess.CompletedProcess[str]:
    """Run a command as a user's shell does, with this environment's programs and no AWS settings of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **clean,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "TRAINWORKS_HOME": str(twin.home.root),
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_boto3_alone_trains_waits_describes_and_reads_logs_and_metrics(twin: TestTwin) -> None:
    ran = shell('eval "$(trainworks env)" && python examples/boto3/job.py', twin)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["status"] == "Completed"
    assert told["statuses"] == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    slope, offset = map(float, told["model"].split())
    assert abs(slope - 3) < 0.1
    assert abs(offset - 1) < 0.1
    losses = [line for line in told["log"] if "loss=" in line]
    assert len(losses) == 10
    assert told["losses_in_cloudwatch"] == 10
    assert told["final_metrics"]["loss"] == float(losses[-1].partition("loss=")[2])


def test_the_boto3_example_imports_nothing_of_ours() -> None:
    for path in (ROOT / "examples" / "boto3").glob("*.py"):
        imported = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else
                         [each.name for each in node.names] if isinstance(node, ast.Import) else [])
        }  # fmt: skip
        assert not {name for name in imported if name.startswith("trainworks")}
