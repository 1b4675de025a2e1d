"""1 GiB on its way into the twin and into a job."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import threading
from pathlib import Path

import psutil
from figures import Figure, timed
from jobs import Scripted
from twins import ScratchTwin, scratch_twin, training_role

BUCKET = "bench-inputs"
GIB = 1 << 30
SCRIPT = """import json, os, time
folder = os.environ.get("SM_CHANNEL_TRAINING")
size = sum(entry.stat().st_size for entry in os.scandir(folder)) if folder else 0
print(json.dumps({"size": size, "at": time.time()}), flush=True)
"""


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, scratch_twin() as twin:
        source = Path(folder) / "input.bin"
        write_random(source)
        copied = timed(lambda: copy(source))
        role = training_role(twin, BUCKET)
        scripted = Scripted(twin, role, BUCKET)
        scripted.upload(SCRIPT)
        put, peak = put_with_peak(twin, source)
        scripted.seconds_until_seen("warm-up")
        uri = f"s3://{BUCKET}/data/"
        without = statistics.median(scripted.seconds_until_seen(f"without-{n}")[0] for n in range(5))
        seen = [scripted.seconds_until_seen(f"with-{n}", uri) for n in range(5)]
        if any(printed["size"] != GIB for _, printed in seen):
            raise SystemExit(f"a job did not see its input: {seen}")
        with_input = statistics.median(seconds for seconds, _ in seen)
    staged = max(with_input - without, 0.0001)
    return [
        Figure("1 GiB into a job", staged, "cp", copied, "under 50 ms, no copy", staged <= 0.050),
        Figure("PUT of 1 GiB by boto3", put, "cp", copied, "bounded memory", True),
        Figure("server's peak memory while it is PUT", peak / (1 << 20), "body", GIB / (1 << 20), "bounded",
               peak < 300 << 20, unit="MiB"),
    ]  # fmt: skip


def write_random(path: Path) -> None:
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for number in range(GIB // len(block)):
            file.write(number.to_bytes(8) + block[8:])


def copy(source: Path) -> None:
    """`cp` and the bytes on disk, as the twin's PUT is on disk when it answers."""
    subprocess.run(["cp", "--reflink=never", source, source.with_suffix(".copy")], check=True)
    with source.with_suffix(".copy").open("rb") as file:
        os.fsync(file.fileno())
    source.with_suffix(".copy").unlink()


def put_with_peak(twin: ScratchTwin, source: Path) -> tuple[float, int]:
    """Seconds of one `put_object`, and the most memory (bytes) that the server had meanwhile."""
    process, done, peaks = psutil.Process(twin.server.pid), threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.01):
            peaks[0] = max(peaks[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with source.open("rb") as body:
            client = twin.client("s3")
            seconds = timed(lambda: client.put_object(Bucket=BUCKET, Key="data/input.bin", Body=body))
    finally:
        done.set()
        watcher.join()
    return seconds, peaks[0]
