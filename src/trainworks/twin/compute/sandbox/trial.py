"""`python -m trainworks.twin.compute.sandbox.trial FOLDER`: which sandbox jobs would get on this machine.

Tried as an instance tries it, in a process of its own, since entering namespaces cannot be undone. Prints one JSON
object: `mode` and `why_not`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from trainworks.twin.compute.sandbox.namespaces import SandboxMode, candidate_modes, check_platform, usable_mode
from trainworks.twin.compute.sandbox.view import ViewSpec

_SECONDS = 30
_MOST_TRIALS = 3
"""Tries where somebody killed the trial, as the kernel does when memory is short: that says nothing of the sandbox."""


def _trial() -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="trainworks-trial-") as folder:
        return subprocess.run(
            [sys.executable, "-m", "trainworks.twin.compute.sandbox.trial", folder],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )


def try_sandbox(trial: Callable[[], subprocess.CompletedProcess[str]] = _trial) -> tuple[str, str]:
    """(mode, why it is off). Raises `OSError` if no process could be started, `ValueError` if it said nothing."""
    for _ in range(_MOST_TRIALS):
        ended = trial()
        if ended.returncode >= 0:
            break
    if ended.returncode:
        raise ValueError(f"the trial ended with {ended.returncode}: {ended.stderr.strip()[-300:]}")
    answer = json.loads(ended.stdout)
    return str(answer["mode"]), str(answer["why_not"])


def main(folder: Path) -> None:
    """Run the trial with `folder` as the sandbox's `/tmp`."""
    mode, why_not = SandboxMode.OFF, check_platform()
    if not why_not:
        hidden = tuple(str(path) for path in (Path.home().resolve(),) if str(path) != "/")
        visible = tuple(dict.fromkeys([sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[4])]))
        mode, why_not = usable_mode(ViewSpec(hidden, visible, str(folder)), candidate_modes())
    sys.stdout.write(json.dumps({"mode": mode.value, "why_not": why_not}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
