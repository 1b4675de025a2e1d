"""A flood of output of one job: how fast it reaches Logs, what memory it takes, what it does to another job's lines.

The flood is a batch job that writes 100 MB/s (its `bound`: what one process writes to a file); a second job prints one
line every 0.1 s meanwhile, with the time in it. Then a million lines are in Logs, and the server is killed.
"""

from __future__ import annotations

import os
import platform
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from arrays import IMAGE, prepare
from figures import Figure, timed
from twins import ScratchTwin, scratch_twin, training_role

MEGABYTES = 1000
LINE_BYTES = 100
GROUP = "/aws/batch/job"
FLOOD = f"""import sys, time
block = (b"x" * {LINE_BYTES - 1} + b"\\n") * 10_000
started = time.time()
for number in range({MEGABYTES}):
    sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
    time.sleep(max(0.0, started + (number + 1) / 100 - time.time()))
"""
TICKS = """import time
while True:
    print(time.time(), flush=True)
    time.sleep(0.1)
"""


def measure() -> list[Figure]:
    with scratch_twin() as twin:
        training_role(twin, "bench-floods")
        definition = prepare(twin, IMAGE.format(".".join(platform.python_version_tuple()[:2])))
        _submit(twin, definition, "warm-up", "print(1)")
        time.sleep(3)
        memory, delays, seconds = flood(twin, definition)
        restart = restart_seconds(twin)
    bound = write_seconds()
    lines = MEGABYTES * 10_000
    return [
        Figure(f"{MEGABYTES} MB of output at 100 MB/s into Logs", seconds, "write to a file", bound,
               "100 MB/s: 11 s with the job's start", seconds <= MEGABYTES / 100 + 1),
        Figure("server's additional memory meanwhile", memory / (1 << 20), "aim", 50.0, "50 MiB", memory <= 50 << 20,
               unit="MiB"),
        Figure("delay of another job's lines meanwhile, the longest", max(delays), "median", statistics.median(delays),
               "1 s", max(delays) <= 1),
        Figure(f"restart after kill -9 with {lines:,} log lines", restart, "aim", 2.0, "2 s", restart <= 2),
    ]  # fmt: skip


def flood(twin: ScratchTwin, definition: str) -> tuple[int, list[float], float]:
    """Additional memory (bytes), delays of the other job's lines (s), seconds until all of the flood is there."""
    ticks = _running(twin, _submit(twin, definition, "ticks", TICKS))
    process = psutil.Process(twin.server.pid)
    before, peak, delays, done = process.memory_info().rss, [0], [], threading.Event()

    def watch() -> None:
        logs, token = twin.client("logs"), {}
        while not done.is_set():
            page = logs.get_log_events(logGroupName=GROUP, logStreamName=ticks, startFromHead=True, **token)
            now, token = time.time(), {"nextToken": page["nextForwardToken"]}
            stamps = [event["message"] for event in page["events"] if event["message"][:1].isdigit()]
            delays.extend(now - float(stamp) for stamp in stamps)
            peak[0] = max(peak[0], process.memory_info().rss)
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    job = _submit(twin, definition, "flood", FLOOD)
    started = time.perf_counter()
    batch = twin.client("batch")
    while batch.describe_jobs(jobs=[job])["jobs"][0]["status"] not in ("SUCCEEDED", "FAILED"):
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    batch.terminate_job(jobId=_last_job(batch, "ticks"), reason="measured")
    return peak[0] - before, delays[5:], seconds


def restart_seconds(twin: ScratchTwin) -> float:
    os.kill(twin.server.pid, signal.SIGKILL)
    logs = twin.client("logs")
    return timed(lambda: logs.describe_log_groups(limit=1))


def write_seconds() -> float:
    block = (b"x" * (LINE_BYTES - 1) + b"\n") * 10_000
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as file:
        return timed(lambda: [file.write(block) for _ in range(MEGABYTES)])


def _submit(twin: ScratchTwin, definition: str, name: str, script: str) -> str:
    submitted: dict[str, Any] = twin.client("batch").submit_job(
        jobName=name, jobQueue="bench", jobDefinition=definition,
        containerOverrides={"command": ["python", "-c", script]},
    )  # fmt: skip
    return str(submitted["jobId"])


def _running(twin: ScratchTwin, job: str) -> str:
    """The log stream of a job, once it runs."""
    while True:
        described = twin.client("batch").describe_jobs(jobs=[job])["jobs"][0]
        if described["status"] == "RUNNING":
            time.sleep(0.5)
            return str(described["container"]["logStreamName"])
        time.sleep(0.05)


def _last_job(batch: Any, name: str) -> str:
    return str(batch.list_jobs(jobQueue="bench", jobStatus="RUNNING", maxResults=100)["jobSummaryList"][0]["jobId"])
