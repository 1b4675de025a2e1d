"""A FIFO queue: the messages of a group come in the order of their sending, each once, though it was sent again."""

from __future__ import annotations

import time
from typing import Any

from customer import Customer, CutOff, until_quiet

QUEUE = "drill-ordered.fifo"
GROUPS = ("a", "b", "c")
MOST_WAITING = 60


class Ordered(Customer):
    """`waiting` has each group's messages in order. One whose send was cut off is sent again, with its own id."""

    def prepare(self) -> None:
        self.sqs = self.twin.client("sqs")
        attributes = {"FifoQueue": "true", "VisibilityTimeout": "1"}
        self.url = self.sqs.create_queue(QueueName=QUEUE, Attributes=attributes)["QueueUrl"]
        self.sent = 0
        self.waiting: dict[str, list[str]] = {group: [] for group in GROUPS}
        self.again: tuple[str, str] | None = None
        self.unsure: set[str] = set()
        self.gone: dict[str, str] = {}

    def step(self) -> None:
        if self.again or (sum(map(len, self.waiting.values())) < MOST_WAITING and self.chance.random() < 0.5):
            self._send()
        else:
            self._take(self._receive())

    def audit(self) -> None:
        while self.again:
            self._send()
        time.sleep(1.2)  # what was received and not deleted becomes visible again
        for messages in until_quiet(self._receive):
            self._take(messages)
        left = [body for group in self.waiting.values() for body in group if body not in self.unsure]
        self.ledger.check(self.name, not left, "lost", f"taken in and never delivered: {left[:5]}")
        # A message whose deletion was cut off may be there or not: nothing was promised of it.
        self.waiting = {group: [] for group in GROUPS}
        self.unsure.clear()

    def _receive(self) -> list[dict[str, Any]]:
        names = ["MessageGroupId", "ApproximateReceiveCount"]
        answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=names)
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def _send(self) -> None:
        if self.again is None:
            self.sent += 1
            self.again = (self.chance.choice(GROUPS), f"o{self.sent}")
        group, body = self.again
        asked = {"QueueUrl": self.url, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": body}
        self.ack(self.sqs.send_message(**asked))
        self.again = None
        self.waiting[group].append(body)

    def _take(self, messages: list[dict[str, Any]]) -> None:
        taken: list[str] = []
        for message in messages:
            body, group = message["Body"], message["Attributes"]["MessageGroupId"]
            copy = "itself" if self.gone.get(body) == message["MessageId"] else "as a second message"
            count = message["Attributes"]["ApproximateReceiveCount"]
            told = f"message {body} came {copy} after it was deleted, received {count} times"
            self.ledger.check(self.name, body not in self.gone, "twice", told)
            waiting = self.waiting[group]
            before = waiting[: waiting.index(body)] if body in waiting else []
            passed = [each for each in before if each not in taken and each not in self.unsure]
            self.ledger.check(self.name, not passed, "wrong", f"message {body} came before {passed[:5]}")
            taken.append(body)
        if not messages:
            return
        entries = [{"Id": each["Body"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages]
        try:
            answer = self.ack(self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries))
        except CutOff:
            self.unsure |= {*taken}
            raise
        # A handle that expired meanwhile deletes nothing in a FIFO queue: the message comes again.
        self._forget({each["Id"] for each in answer.get("Successful", [])}, messages)

    def _forget(self, bodies: set[str], messages: list[dict[str, Any]]) -> None:
        self.gone |= {each["Body"]: each["MessageId"] for each in messages if each["Body"] in bodies}
        self.unsure -= bodies
        for group, waiting in self.waiting.items():
            self.waiting[group] = [body for body in waiting if body not in bodies]
