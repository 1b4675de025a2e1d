"""A log stream: each batch of events that was taken in is there once, whole and in order."""

from __future__ import annotations

import time
from collections import Counter

from customer import Customer, CutOff

GROUP = "drill"


class Logs(Customer):
    def prepare(self) -> None:
        self.logs = self.twin.client("logs")
        self.logs.create_log_group(logGroupName=GROUP)
        self.stream = 0
        self.number = 0
        self._next_stream()

    def step(self) -> None:
        batch = [f"line {self.number + each}" for each in range(self.chance.choice([1, 3, 50]))]
        self.number += len(batch)
        moment = int(time.time() * 1000)
        events = [{"timestamp": moment, "message": line} for line in batch]
        try:
            self.ack(self.logs.put_log_events(logGroupName=GROUP, logStreamName=self._name(), logEvents=events))
        except CutOff:
            self.unsure.update(batch)
            raise
        self.wanted += batch

    def audit(self) -> None:
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = self.logs.get_log_events(logGroupName=GROUP, logStreamName=self._name(), startFromHead=True, **token)
            found += [event["message"] for event in page["events"]]
            if token.get("nextToken") == page["nextForwardToken"]:
                break
            token = {"nextToken": page["nextForwardToken"]}
        counts = Counter(found)
        missing = [line for line in self.wanted if line not in counts]
        self.ledger.check(
            self.name, not missing, "lost", f"{len(missing)} of {len(self.wanted)} lines: {missing[:3]} ..."
        )
        again = [line for line, count in counts.items() if count > 1]
        self.ledger.check(self.name, not again, "twice", f"{len(again)} lines stored twice: {again[:3]}")
        wanted = set(self.wanted)
        foreign = [line for line in counts if line not in self.unsure and line not in wanted]
        self.ledger.check(self.name, not foreign, "wrong", f"nobody wrote {foreign[:3]}")
        order = [line for line in found if line not in self.unsure]
        self.ledger.check(self.name, order == self.wanted, "wrong", "the lines are not in the order of their writing")
        self._next_stream()

    def _name(self) -> str:
        return f"stream-{self.stream}"

    def _next_stream(self) -> None:
        self.stream += 1
        self.wanted: list[str] = []
        self.unsure: set[str] = set()
        self.logs.create_log_stream(logGroupName=GROUP, logStreamName=self._name())
