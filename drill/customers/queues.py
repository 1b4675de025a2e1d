"""An SQS queue: a message that was taken in is delivered until it is deleted, and never after that."""

from __future__ import annotations

import time
from typing import Any

from customer import Customer, CutOff

QUEUE = "drill-queue"
MOST_WAITING = 150


class Queues(Customer):
    """`wanted` has to be delivered, `gone` must not be, `unsure` may: its call was cut off."""

    def prepare(self) -> None:
        self.sqs = self.twin.client("sqs")
        self.url = self.sqs.create_queue(QueueName=QUEUE, Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
        self.sent = 0
        self.wanted: set[str] = set()
        self.unsure: set[str] = set()
        self.gone: set[str] = set()

    def step(self) -> None:
        if len(self.wanted) < MOST_WAITING and self.chance.random() < 0.6:
            self._send()
        else:
            self._take(self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=5).get("Messages", []))

    def audit(self) -> None:
        time.sleep(1.2)  # what was received and not deleted becomes visible again
        seen: set[str] = set()
        quiet = 0
        while quiet < 3:
            messages = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=60
            ).get("Messages", [])  # fmt: skip
            quiet = 0 if messages else quiet + 1
            for message in messages:
                seen.add(message["Body"])
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        for body in self.wanted:
            self.ledger.check(self.name, body in seen, "lost", f"message {body} was taken in and never delivered")
        back = seen & self.gone
        self.ledger.check(self.name, not back, "twice", f"delivered after they were deleted: {sorted(back)[:5]}")
        foreign = seen - self.wanted - self.unsure - self.gone
        self.ledger.check(self.name, not foreign, "wrong", f"nobody sent these: {sorted(foreign)[:5]}")
        self.gone |= self.wanted | self.unsure
        self.wanted, self.unsure = set(), set()

    def _send(self) -> None:
        self.sent += 1
        body = f"m{self.sent}"
        try:
            self.ack(self.sqs.send_message(QueueUrl=self.url, MessageBody=body))
        except CutOff:
            self.unsure.add(body)
            raise
        self.wanted.add(body)

    def _take(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            body = message["Body"]
            self.ledger.check(self.name, body not in self.gone, "twice", f"message {body} came after it was deleted")
            self.wanted.discard(body)
            self.unsure.add(body)
            self.ack(self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"]))
            self.unsure.discard(body)
            self.gone.add(body)
