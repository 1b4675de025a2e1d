"""From `CreateTrainingJob` to the first line of the user's script, and the start of the command line."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, alternating
from jobs import Scripted
from twins import scratch_twin, training_role

BUCKET = "bench-starts"
RUNS = 11
SCRIPT = "import json, time\nprint(json.dumps({'at': time.time()}), flush=True)\n"


def measure(trainworks: Path) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, scratch_twin() as twin:
        script = Path(folder) / "script.py"
        script.write_text(SCRIPT)
        scripted = Scripted(twin, training_role(twin, BUCKET), BUCKET)
        scripted.upload(SCRIPT)
        scripted.seconds_until_seen("warm-up")
        pairs = [(scripted.seconds_until_seen(f"first-line-{n}")[0], bare(script)) for n in range(RUNS)]
    ours, alone = (statistics.median(column) for column in zip(*pairs, strict=True))
    help_ours, help_bare = alternating(
        lambda: subprocess.run([trainworks, "--help"], capture_output=True, check=True),
        lambda: subprocess.run([sys.executable, "-c", "pass"], capture_output=True, check=True),
        runs=9,
    )
    over = f"50 ms over the bare script (it is {(ours - alone) * 1000:.0f} ms over)"
    return [
        Figure("submit to first line", ours, "python script.py", alone, over, ours - alone <= 0.050),
        Figure("trainworks --help", help_ours, "python -c pass", help_bare, "0.3 s", help_ours <= 0.3),
    ]


def bare(script: Path) -> float:
    """Seconds until the interpreter alone has run the script's first line."""
    started = time.time()
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    return float(json.loads(printed)["at"]) - started
