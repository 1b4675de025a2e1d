"""A job's metrics: from its log by `MetricDefinitions`, and of its hosts, into `/aws/sagemaker/TrainingJobs`.

Values found in the log are written in the transaction that commits how far the log was read: the last value of each
metric is the job's FinalMetricDataList, and every value is sent on to CloudWatch from a table, after the commit.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from itertools import islice
from sqlite3 import Connection

from trainworks.aws.instance_types import instance_type
from trainworks.twin.linear_regex import LinearPattern, UnsupportedPatternError, compile_linear
from trainworks.twin.ports import Compute, ControlPlane, MetricDatum, Usage
from trainworks.twin.services.background import Background
from trainworks.twin.services.sagemaker.training.records import TrainingJob, job_of_row
from trainworks.twin.services.sagemaker.training.store import SQL
from trainworks.twin.store.database import Database

_LOG = logging.getLogger(__name__)

NAMESPACE = "/aws/sagemaker/TrainingJobs"
_FIRST_SAMPLE_SECONDS = 1.0
_TICK_SECONDS = 0.5

_MOST_MATCHES = 16
_SEARCHED_BYTES = 64 * 1024

Definitions = tuple[tuple[str, LinearPattern], ...]


def definitions_of(job: TrainingJob) -> Definitions:
    """Names and compiled regular expressions of a job, without those that an earlier version took and this one does
    not."""
    found = []
    for each in job.request["AlgorithmSpecification"].get("MetricDefinitions", []):
        try:
            found.append((each["Name"], compile_linear(each["Regex"])))
        except UnsupportedPatternError as error:
            _LOG.warning("the job %s gets no values of its metric %s: %s", job.name, each["Name"], error)
    return tuple(found)


def values_in(lines: Sequence[bytes], definitions: Definitions) -> list[tuple[str, float]]:
    """`(metric, value)` for every match, in order of lines; a value that is not a finite number is skipped, as on AWS.

    Searched are the first 64 KiB of a line, for at most 16 values of each metric: what a job prints is bounded.
    """
    found: list[tuple[str, float]] = []
    for line in lines:
        searched = line[:_SEARCHED_BYTES]
        for name, pattern in definitions:
            for match in islice(pattern.finditer(searched), _MOST_MATCHES):
                value = _number(match.group(1))
                if value is not None:
                    found.append((name, value))
    return found


def _number(text: bytes | None) -> float | None:
    """A finite number, or None; CloudWatch takes no NaN and no infinity."""
    try:
        value = float(text) if text is not None and b"_" not in text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class JobMetrics:
    """Finds metrics in log lines and publishes them; samples the hosts of running jobs every `interval_seconds`."""

    def __init__(
        self,
        database: Database,
        control_plane: ControlPlane,
        compute: Compute,
        interval_seconds: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._control_plane = control_plane
        self._compute = compute
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._sampled_at: dict[str, float] = {}
        self._background = Background("training-metrics", self._pass)

    def on_lines(self, task_id: str, lines: Sequence[bytes], timestamp_ms: int) -> Callable[[Connection], None] | None:
        """The values in lines that have just been shipped; written in the transaction that says so."""
        row = self._database.read_one(SQL["job_of_task"], (task_id,))
        if row is None:
            return None
        job = job_of_row(row)
        found = values_in(lines, definitions_of(job))
        if not found:
            return None

        def write(tx: Connection) -> None:
            at = timestamp_ms / 1000
            for name, value in found:
                tx.execute(SQL["set_metric"], (job.job_id, name, value, at))
                tx.execute(SQL["insert_metric_point"], (job.region, job.name, name, value, at))
            self._background.wake()

        return write

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        self._background.stop()

    def is_published(self, job: TrainingJob) -> bool:
        """Whether all that was found in the job's log so far is in CloudWatch."""
        return self._database.read_one(SQL["metric_point_of_job"], (job.region, job.name)) is None

    def publish(self) -> int:
        """Send what is in the table; the number of values. A value may be sent twice after a crash, none is lost."""
        with self._database.transaction() as tx:
            rows = tx.execute(SQL["metric_points"]).fetchall()
        for region in {row["region"] for row in rows}:
            data = [
                MetricDatum(row["name"], {"TrainingJobName": row["training_job_name"]}, row["value"], row["timestamp"])
                for row in rows
                if row["region"] == region
            ]
            self._control_plane.put_metric_data(NAMESPACE, data, region)
        if rows:
            with self._database.transaction() as tx:
                tx.execute(SQL["delete_metric_points"], (rows[-1]["seq"],))
        return len(rows)

    def sample_hosts(self) -> int:
        """Sample the hosts that are due (the first time a second after the start); the number of hosts."""
        now = self._clock()
        running = {row["task_id"]: row for row in self._database.read(SQL["tasks_running"])}
        self._sampled_at = {task: at for task, at in self._sampled_at.items() if task in running}
        due = {task for task, row in running.items() if self._is_due(task, row["started_at"] or now, now)}
        if not due:
            return 0
        count = 0
        for usage in self._compute.usage():
            if usage.task_id in due:
                row = running[usage.task_id]
                type_name = _instance_type_of(row["request"])
                host = f"{row['name']}/{row['host']}"
                self._control_plane.put_metric_data(NAMESPACE, host_data(usage, host, type_name), row["region"])
                self._sampled_at[usage.task_id] = now
                count += 1
        return count

    def _is_due(self, task_id: str, started_at: float, now: float) -> bool:
        last = self._sampled_at.get(task_id)
        if last is None:
            return now - started_at >= min(_FIRST_SAMPLE_SECONDS, self._interval_seconds)
        return now - last >= self._interval_seconds

    def _pass(self) -> float:
        while self.publish():
            pass
        self.sample_hosts()
        return _TICK_SECONDS


def host_data(usage: Usage, host: str, type_name: str) -> list[MetricDatum]:
    """The metrics of one host. As on AWS, CPU and GPU count 100 per cent for each core and device."""
    size = instance_type(type_name)
    values = {
        "CPUUtilization": usage.cpu_percent * size.vcpus,
        "MemoryUtilization": usage.memory_percent,
        "DiskUtilization": usage.disk_percent,
    }
    if usage.gpu_percent is not None:
        values["GPUUtilization"] = usage.gpu_percent
    if usage.gpu_memory_percent is not None:
        values["GPUMemoryUtilization"] = usage.gpu_memory_percent
    return [MetricDatum(name, {"Host": host}, value, usage.at, "Percent") for name, value in values.items()]


def _instance_type_of(request: str) -> str:
    return str(json.loads(request)["ResourceConfig"]["InstanceType"])
