"""Single batch jobs: each that was taken in runs once and ends as its exit code says."""

from __future__ import annotations

import time

from customer import Customer

from customers import batch

MOST_OPEN = 40


class Jobs(Customer):
    """`open` maps a job's id to its exit code and the time of its submission."""

    def prepare(self) -> None:
        batch.prepare(self.twin)
        self.batch, self.logs = self.twin.client("batch"), self.twin.client("logs")
        self.open: dict[str, tuple[int, float]] = {}
        self.number = 0

    def step(self) -> None:
        if len(self.open) >= MOST_OPEN:
            self._look()
            time.sleep(0.2)
            return
        self.number += 1
        code = self.chance.choice([0, 0, 0, 3])
        submitted_at = time.time()
        command = ["/bin/sh", "-c", batch.COMMAND.format(code)]
        answer = self.ack(
            self.batch.submit_job(
                jobName=f"job-{self.number}", jobQueue=batch.QUEUE, jobDefinition=batch.QUEUE,
                containerOverrides={"command": command},
            )
        )  # fmt: skip
        self.open[answer["jobId"]] = (code, submitted_at)
        time.sleep(0.05)

    def audit(self) -> None:
        def none_open() -> bool:
            self._look()
            return not self.open

        self.wait(none_open, 120, f"the end of {len(self.open)} batch jobs")

    def _look(self) -> None:
        wanted = list(self.open)[:100]
        if not wanted:
            return
        found = {job["jobId"]: job for job in self.ack(self.batch.describe_jobs(jobs=wanted))["jobs"]}
        for job_id in wanted:
            if job_id not in found:
                self.ledger.find("lost", self.name, f"job {job_id} was taken in and is unknown")
                del self.open[job_id]
            elif found[job_id]["status"] in batch.ENDED:
                code, submitted_at = self.open[job_id]
                batch.judge(self, self.logs, found[job_id], code, submitted_at)
                del self.open[job_id]
