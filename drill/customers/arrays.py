"""Array jobs, and a job that waits for each: every child runs once, and the parent tells their sum."""

from __future__ import annotations

import time

from customer import Customer

from customers import batch

SIZE = 20
SCRIPT = batch.COMMAND.format("$((AWS_BATCH_JOB_ARRAY_INDEX % 5 == 4))")


class Arrays(Customer):
    def prepare(self) -> None:
        batch.prepare(self.twin)
        self.batch, self.logs = self.twin.client("batch"), self.twin.client("logs")
        self.open: dict[str, float] = {}
        self.number = 0

    def step(self) -> None:
        time.sleep(0.3)
        if len(self.open) >= 3:
            self._look()
            return
        self.number += 1
        submitted_at = time.time()
        answer = self.ack(
            self.batch.submit_job(
                jobName=f"array-{self.number}", jobQueue=batch.QUEUE, jobDefinition=batch.QUEUE,
                arrayProperties={"size": SIZE}, containerOverrides={"command": ["/bin/sh", "-c", SCRIPT]},
            )
        )  # fmt: skip
        self.open[answer["jobId"]] = submitted_at

    def audit(self) -> None:
        def none_open() -> bool:
            self._look()
            return not self.open

        self.wait(none_open, 180, f"the end of {len(self.open)} arrays")

    def _look(self) -> None:
        if not self.open:
            return
        jobs = self.ack(self.batch.describe_jobs(jobs=list(self.open)))["jobs"]
        known = {job["jobId"] for job in jobs}
        for job_id in set(self.open) - known:
            self.ledger.find("lost", self.name, f"array {job_id} was taken in and is unknown")
            del self.open[job_id]
        for job in (each for each in jobs if each["status"] in batch.ENDED):
            self._judge(job, self.open.pop(job["jobId"]))

    def _judge(self, parent: dict[str, object], submitted_at: float) -> None:
        ids = [f"{parent['jobId']}:{index}" for index in range(SIZE)]
        children = self.batch.describe_jobs(jobs=ids)["jobs"]
        self.ledger.check(self.name, len(children) == SIZE, "lost", f"{parent['jobName']} has {len(children)} children")
        for child in children:
            index = child["arrayProperties"]["index"]
            batch.judge(self, self.logs, child, int(index % 5 == 4), submitted_at)
        counts: dict[str, int] = {}
        for child in children:
            counts[child["status"]] = counts.get(child["status"], 0) + 1
        summary = parent["arrayProperties"]["statusSummary"]  # type: ignore[index]
        told = {status: count for status, count in summary.items() if count}
        self.ledger.check(self.name, told == counts, "wrong", f"{parent['jobName']} says {told}, has {counts}")
