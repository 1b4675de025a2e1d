"""A user's shell for tests of pages, and a script that such a user may have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from trainworks.testing import TestTwin

BIN = Path(sys.executable).parent

READS_AND_PRINTS = """
import os, sys
from pathlib import Path

print(sorted(os.listdir(os.environ["SM_CHANNEL_TRAINING"])), sys.argv[1:])
Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text("trained")
"""


class Shell:
    """A user's shell in a folder: the twin's commands, a platform of its own name, no AWS settings."""

    def __init__(self, twin: TestTwin, environment_suffix: str = "guides") -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        path = f"{BIN}{os.pathsep}{clean['PATH']}"
        home = {"TRAINWORKS_HOME": str(twin.home.root), "ENVIRONMENT_SUFFIX": environment_suffix}
        self._environment = {**clean, **home, "PATH": path}

    def run(self, script: str, folder: Path, expected: int = 0) -> str:
        ran = subprocess.run(
            ["bash", "-euc", script],  # without pipefail, as a user's shell: `grep -q` leaves while its pipe is written
            cwd=folder, env=self._environment, capture_output=True, text=True, timeout=540, check=False,
        )  # fmt: skip
        assert ran.returncode == expected, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr
