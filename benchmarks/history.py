"""Costs that must not grow with history: arrays in a row, single jobs, many training jobs, long queues, and 100,000
ended jobs.

Ended jobs are copies of rows that real jobs left, put into the database of a stopped twin: it reads them as its own.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import statistics
import subprocess
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import arrays
import psutil
from figures import Figure, timed
from jobs import Scripted
from twins import ScratchTwin, restart, scratch_twin, training_role

ARRAYS, ARRAY_SIZE = 5, 10_000
SINGLE_JOBS = 5_000
TRAINING_JOBS = 300
ENDED_JOBS = 100_000
SHORT_QUEUE, LONG_QUEUE = 100, 6_000
_QUEUE_ROUNDS = 100
_CLIENTS = 4
Row = dict[str, Any]
_DEADLINE_SECONDS = 600.0
_CORES = len(os.sched_getaffinity(0))


def measure() -> list[Figure]:
    found: list[Figure] = []
    with scratch_twin() as twin:
        definition = arrays.prepare(twin, arrays.image())
        arrays.run_array(twin, definition, "warm-up", 100)
        found += arrays_in_a_row(twin, definition)
        found += single_jobs(twin, definition, found[0].ours / ARRAY_SIZE)
    with scratch_twin() as twin:
        role = training_role(twin, "bench-history")
        scripted = Scripted(twin, role, "bench-history")
        scripted.upload("print('done')\n")
        found.append(crowd(scripted))
    with scratch_twin() as twin:
        role = training_role(twin, "bench-history")
        scripted = Scripted(twin, role, "bench-history")
        scripted.upload("print('done')\n")
        definition = arrays.prepare(twin, arrays.image())
        found += beside_ended_jobs(scripted, definition)
    with scratch_twin() as twin:
        found += [long_queue(twin, "bench"), long_queue(twin, "bench.fifo")]
    return found


def arrays_in_a_row(twin: ScratchTwin, definition: str) -> list[Figure]:
    os.sync()  # what other measurements have written is flushed to disk before the clock starts
    pairs = [
        (arrays.run_array(twin, definition, f"array-{number}", ARRAY_SIZE), timed(xargs)) for number in range(ARRAYS)
    ]
    # Compared with xargs at the same time: the machine's speed drifts, the ratio does not.
    ratios = [bound / ours for ours, bound in pairs]
    aim = 0.8 if _CORES >= 16 else 0.6
    last, bound = pairs[-1]
    name, beside = f"array of {ARRAY_SIZE:,} /bin/true", f"xargs -P{_CORES}"
    return [
        Figure(f"the first {name}", *(pairs[0][0], beside, pairs[0][1]), f"{aim} of what xargs starts",
               ratios[0] >= aim, better="higher", note=f"ratios: {', '.join(f'{each:.2f}' for each in ratios)}"),
        Figure(f"the fifth {name} on one twin", last, beside, bound, "within 10 % of the first",
               ratios[-1] >= 0.9 * ratios[0], better="higher"),
    ]  # fmt: skip


def xargs() -> None:
    numbers = "\n".join(map(str, range(ARRAY_SIZE)))
    subprocess.run(["xargs", f"-P{_CORES}", "-n1", "/bin/true"], input=numbers, text=True, check=True)


def single_jobs(twin: ScratchTwin, definition: str, seconds_per_task: float) -> list[Figure]:
    """Jobs submitted one by one while their compute environment is off, then run: the clients' time is left out.

    How fast they are submitted is bounded by the client: boto3 is Python with one core's worth of it, whatever serves.
    """
    batch = twin.client("batch")
    batch.update_compute_environment(computeEnvironment="bench", state="DISABLED")
    job_ids: list[str] = []

    def submit(numbers: range) -> None:
        client = twin.client("batch")
        for number in numbers:
            submitted = client.submit_job(jobName=f"single-{number}", jobQueue="bench", jobDefinition=definition)
            job_ids.append(submitted["jobId"])

    client_before = time.process_time()
    with ThreadPoolExecutor(_CLIENTS) as pool:
        accepted = timed(lambda: list(pool.map(submit, [range(n, SINGLE_JOBS, _CLIENTS) for n in range(_CLIENTS)])))
    client = time.process_time() - client_before

    def run() -> None:
        batch.update_compute_environment(computeEnvironment="bench", state="ENABLED")
        deadline = time.perf_counter() + _DEADLINE_SECONDS
        while any(batch.list_jobs(jobQueue="bench", jobStatus=status, maxResults=1)["jobSummaryList"]
                  for status in ("RUNNABLE", "STARTING", "RUNNING")):  # fmt: skip
            if time.perf_counter() > deadline:
                raise SystemExit("the single jobs did not end in time")
            time.sleep(0.1)

    ours = timed(run)
    bound = seconds_per_task * SINGLE_JOBS
    return [
        Figure(f"{SINGLE_JOBS:,} SubmitJob by {_CLIENTS} threads of a client", accepted, "boto3's own CPU time", client,
               "3 times what boto3 takes", accepted <= 3 * client),
        Figure(f"{SINGLE_JOBS:,} single jobs", ours, "as many of an array's", bound, "half the rate of an array",
               bound / ours >= 0.5, better="higher"),
    ]  # fmt: skip


def crowd(scripted: Scripted) -> Figure:
    """Until the last of many CreateTrainingJob is answered, while the first of them run."""
    sagemaker = scripted.twin.client("sagemaker")
    sagemaker.list_training_jobs()

    def create() -> None:
        for number in range(TRAINING_JOBS):
            sagemaker.create_training_job(**scripted.request(f"crowd-{number}"))

    ours = timed(create)
    deadline = time.perf_counter() + _DEADLINE_SECONDS
    while sagemaker.list_training_jobs(StatusEquals="InProgress", MaxResults=1)["TrainingJobSummaries"]:
        if time.perf_counter() > deadline:
            raise SystemExit("the training jobs did not end in time")
        time.sleep(0.2)
    return Figure(f"{TRAINING_JOBS} training jobs accepted", ours, "aim", 3.0, "3 s", ours <= 3.0)


def beside_ended_jobs(scripted: Scripted, definition: str) -> list[Figure]:
    twin = scripted.twin
    arrays.run_array(twin, definition, "warm-up", 100)
    batch, sagemaker = twin.client("batch"), twin.client("sagemaker")
    job_id = batch.submit_job(jobName="ended", jobQueue="bench", jobDefinition=definition)["jobId"]
    _until(lambda: batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] == "SUCCEEDED")
    sagemaker.create_training_job(**scripted.request("ended"))
    _until(lambda: sagemaker.describe_training_job(TrainingJobName="ended")["TrainingJobStatus"] == "Completed")
    time.sleep(1)  # until nothing is left to do for it
    with restart(twin):
        database = sqlite3.connect(twin.home / "twin.db")
        multiply(database, job_id)
        database.close()
    batch, sagemaker = twin.client("batch"), twin.client("sagemaker")
    looks: dict[str, Callable[[], object]] = {
        "ListJobs": lambda: batch.list_jobs(jobQueue="bench", jobStatus="SUCCEEDED"),
        "ListJobs of what runs": lambda: batch.list_jobs(jobQueue="bench", jobStatus="RUNNING"),
        "ListJobs by name": lambda: batch.list_jobs(jobQueue="bench", filters=[_named("ended-77777")]),
        "DescribeJobs": lambda: batch.describe_jobs(jobs=[job_id]),
        "ListTrainingJobs": lambda: sagemaker.list_training_jobs(MaxResults=100),
        "ListTrainingJobs that are in progress": lambda: sagemaker.list_training_jobs(StatusEquals="InProgress"),
        "DescribeTrainingJob": lambda: sagemaker.describe_training_job(TrainingJobName="ended-77777"),
    }
    figures = []
    for name, look in looks.items():
        look()
        ours = statistics.median(timed(look) for _ in range(20))
        figures.append(_beside(name, ours, 0.02))
    figures.append(_beside("from SubmitJob to SUCCEEDED", _single(batch, definition), 0.2))
    os.kill(twin.server.pid, signal.SIGKILL)
    figures.append(_beside("restart after kill -9", timed(lambda: batch.list_jobs(jobQueue="bench")), 2.0))
    return figures


def long_queue(twin: ScratchTwin, name: str) -> Figure:
    """A message sent, received, looked for and deleted: the server's processor time with few and with many others."""
    sqs, server = twin.client("sqs"), psutil.Process(twin.server.pid)
    fifo = name.endswith(".fifo")

    def sent(body: str) -> dict[str, str]:
        ordered = {"MessageGroupId": body[-1], "MessageDeduplicationId": body} if fifo else {}
        return {"MessageBody": body, **ordered}

    def cost(length: int) -> float:
        attributes = {"FifoQueue": "true"} if fifo else {}
        url = sqs.create_queue(QueueName=f"of-{length}-{name}", Attributes=attributes)["QueueUrl"]
        for start in range(0, length, 10):
            entries = [{"Id": str(number), **sent(f"{'x' * 200}{start + number}")} for number in range(10)]
            sqs.send_message_batch(QueueUrl=url, Entries=entries)
        before = sum(server.cpu_times()[:2])
        for number in range(_QUEUE_ROUNDS):
            sqs.send_message(QueueUrl=url, **sent(f"more-{number}"))
            (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return float(sum(server.cpu_times()[:2]) - before) / _QUEUE_ROUNDS

    cost(SHORT_QUEUE - 10)  # until all that is needed is loaded
    short, long = cost(SHORT_QUEUE), cost(LONG_QUEUE)
    kind = "FIFO queue" if fifo else "queue"
    return Figure(f"a message through a {kind} of {LONG_QUEUE:,}, processor time", long, f"of {SHORT_QUEUE}", short,
                  "1.5 times that of a short one", long <= 1.5 * short)  # fmt: skip


def multiply(database: sqlite3.Connection, job_id: str) -> None:
    """Copies of an ended Batch job and of the ended training job, each with a name and id of its own."""

    def spec(number: int, row: Row) -> Row:
        return {"spec_id": _uuid(number), "spec": row["spec"].replace('"ended"', f'"ended-{number}"')}

    def batch_job(number: int, row: Row) -> Row:
        named = {"job_id": _uuid(number), "spec_id": _uuid(number)}
        return {**named, "seq": None, "created_at": row["created_at"] - number}

    def training_job(number: int, row: Row) -> Row:
        named = {"job_id": _short_id(number), "name": f"ended-{number}", "arn": f"{row['arn']}-{number}"}
        return {**named, "creation_time": row["creation_time"] - number}

    def transition(number: int, row: Row) -> Row:
        return {"job_id": _short_id(number)}

    def task(number: int, row: Row) -> Row:
        return {"job_id": _short_id(number), "task_id": f"{row['task_id']}-{number}"}

    with database:
        _copy(database, "batch_job_spec", ("spec_id", job_id), spec)
        _copy(database, "batch_job", ("job_id", job_id), batch_job)
        (training,) = database.execute("SELECT job_id FROM training_job").fetchone()
        _copy(database, "training_job", ("job_id", training), training_job)
        _copy(database, "training_transition", ("job_id", training), transition)
        _copy(database, "training_task", ("job_id", training), task)


def _copy(database: sqlite3.Connection, table: str, named: tuple[str, str], change: Callable[[int, Row], Row]) -> None:
    column, value = named
    cursor = database.execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,))
    names = [each[0] for each in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    copies = (tuple((row | change(number, row)).values()) for number in range(ENDED_JOBS) for row in rows)
    database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", copies)


def _short_id(number: int) -> str:
    return f"{number:012x}"


def _uuid(number: int) -> str:
    return str(uuid.UUID(int=number))


def _named(name: str) -> dict[str, object]:
    return {"name": "JOB_NAME", "values": [name]}


def _single(batch: Any, definition: str) -> float:
    def run() -> None:
        job_id = batch.submit_job(jobName="one", jobQueue="bench", jobDefinition=definition)["jobId"]
        _until(lambda: batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] == "SUCCEEDED")

    run()
    return statistics.median(timed(run) for _ in range(5))


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + 60
    while not is_so():
        if time.perf_counter() > deadline:
            raise SystemExit("a job did not end within a minute")
        time.sleep(0.005)


def _beside(name: str, ours: float, aim: float) -> Figure:
    amount = f"{aim * 1000:.0f} ms" if aim < 1 else f"{aim:.0f} s"
    return Figure(f"{name}, {ENDED_JOBS:,} ended jobs", ours, "aim", aim, amount, ours <= aim)
