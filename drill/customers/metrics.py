"""Metric data: every value that was taken in is counted, once."""

from __future__ import annotations

import time
from typing import Any

from customer import Customer, CutOff

NAMESPACE = "Drill"
SERIES = 5


class Metrics(Customer):
    """`known` and `unsure` count values by the name of their metric; those of calls that were cut off are unsure."""

    def prepare(self) -> None:
        self.cloudwatch = self.twin.client("cloudwatch")
        self.began = time.time()
        self.known = {f"m{number}": 0 for number in range(SERIES)}
        self.unsure = dict.fromkeys(self.known, 0)

    def step(self) -> None:
        name, count = self.chance.choice(list(self.known)), self.chance.choice([1, 1, 20])
        try:
            self.ack(
                self.cloudwatch.put_metric_data(
                    Namespace=NAMESPACE, MetricData=[{"MetricName": name, "Value": 2.0}] * count
                )
            )
        except CutOff:
            self.unsure[name] += count
            raise
        self.known[name] += count
        time.sleep(0.02)

    def audit(self) -> None:
        for name, known in self.known.items():
            count, total = self._sums(name)
            most = known + self.unsure[name]
            self.ledger.check(self.name, count >= known, "lost", f"{name} has {count} values, {known} were taken in")
            self.ledger.check(self.name, count <= most, "twice", f"{name} has {count} values, {most} were sent")
            self.ledger.check(self.name, total == 2.0 * count, "wrong", f"{name}: {count} values of 2 are {total}")
            self.known[name], self.unsure[name] = int(count), 0

    def _sums(self, name: str) -> tuple[float, float]:
        answer: dict[str, Any] = self.cloudwatch.get_metric_statistics(
            Namespace=NAMESPACE, MetricName=name, StartTime=self.began - 3600, EndTime=time.time() + 3600,
            Period=60, Statistics=["SampleCount", "Sum"],
        )  # fmt: skip
        points = answer["Datapoints"]
        return sum(point["SampleCount"] for point in points), sum(point["Sum"] for point in points)
