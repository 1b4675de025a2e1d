"""An SQS queue: a message that was taken in is delivered until it is deleted, and never after that.

A message that is received too often moves to the dead-letter queue: it is there or in its own queue, never in both and
never in none.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from itertools import chain
from typing import Any

from customer import Customer, CutOff, until_quiet

QUEUE, DEAD_LETTERS = "drill-queue", "drill-dead-letters"
HIDDEN_SECONDS = 1
MOST_RECEIVES = 4
MOST_WAITING = 150
SECONDS_BETWEEN_PURGES = 61
"""SQS refuses a second one within a minute."""


class Queues(Customer):
    """`wanted` has to be delivered, `gone` must not be, `unsure` may: its call was cut off."""

    def prepare(self) -> None:
        self.sqs = self.twin.client("sqs")
        self.letters = self.sqs.create_queue(QueueName=DEAD_LETTERS)["QueueUrl"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.letters, AttributeNames=["QueueArn"])
        arn = answer["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MOST_RECEIVES})
        attributes = {"VisibilityTimeout": str(HIDDEN_SECONDS), "RedrivePolicy": redrive}
        self.url = self.sqs.create_queue(QueueName=QUEUE, Attributes=attributes)["QueueUrl"]
        self.sent = 0
        self.wanted: set[str] = set()
        self.unsure: set[str] = set()
        self.gone: set[str] = set()
        # What is known of messages that were received and not deleted.
        self.receives: Counter[str] = Counter()
        self.hidden_until: dict[str, float] = {}
        self.unknown_receives = False
        self.purge_tried_at = 0.0

    def step(self) -> None:
        chance = self.chance.random()
        if chance < 0.01:
            self._purge()
        elif len(self.wanted) < MOST_WAITING and chance < 0.35:
            self._send()
        elif len(self.wanted) < MOST_WAITING and chance < 0.45:
            self._send_batch()
        else:
            self._take()

    def audit(self) -> None:
        time.sleep(HIDDEN_SECONDS + 0.2)  # what was received and not deleted becomes visible again
        here, there = self._drain(self.url), self._drain(self.letters)
        seen = set(here) | set(there)
        for body in self.wanted:
            self.ledger.check(self.name, body in seen, "lost", f"message {body} was taken in and never delivered")
        doubled = [body for body, count in (Counter(here) + Counter(there)).items() if count > 1]
        self.ledger.check(self.name, not doubled, "twice", f"in the queues more than once: {sorted(doubled)[:5]}")
        back = seen & self.gone
        self.ledger.check(self.name, not back, "twice", f"delivered after they were deleted: {sorted(back)[:5]}")
        foreign = seen - self.wanted - self.unsure - self.gone
        self.ledger.check(self.name, not foreign, "wrong", f"nobody sent these: {sorted(foreign)[:5]}")
        self._forget(self.wanted | self.unsure)
        self.unknown_receives = False

    def _drain(self, url: str) -> list[str]:
        def receive() -> list[dict[str, Any]]:
            answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60)
            found: list[dict[str, Any]] = answer.get("Messages", [])
            return found

        seen: list[str] = []
        for message in chain.from_iterable(until_quiet(receive)):
            seen.append(message["Body"])
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return seen

    def _new(self) -> str:
        self.sent += 1
        return f"m{self.sent}"

    def _send(self) -> None:
        body = self._new()
        try:
            self.ack(self.sqs.send_message(QueueUrl=self.url, MessageBody=body))
        except CutOff:
            self.unsure.add(body)
            raise
        self.wanted.add(body)

    def _send_batch(self) -> None:
        bodies = [self._new() for _ in range(5)]
        entries = [{"Id": body, "MessageBody": body} for body in bodies]
        try:
            self.ack(self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries))
        except CutOff:
            self.unsure |= {*bodies}
            raise
        self.wanted |= {*bodies}

    def _purge(self) -> None:
        if time.time() < self.purge_tried_at + SECONDS_BETWEEN_PURGES:
            return
        self.purge_tried_at = time.time()
        try:
            self.ack(self.sqs.purge_queue(QueueUrl=self.url))
        except CutOff:
            self.unsure |= self.wanted
            self.wanted = set()
            raise
        # What had moved to the dead letters is there still.
        self.unsure |= {body for body in self.wanted if self.receives[body] or self.unknown_receives}
        self._forget(self.wanted - self.unsure)
        self.wanted = set()

    def _take(self) -> None:
        began = time.time()
        try:
            answer = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=5, MessageSystemAttributeNames=["ApproximateReceiveCount"]
            )
        except CutOff:
            self.unknown_receives = True
            raise
        messages = answer.get("Messages", [])
        for message in messages:
            self._look_at(message, began)
        if self.chance.random() < 0.5:
            for message in messages:
                self._finish(message)
        elif messages:
            self._delete_batch(messages)

    def _look_at(self, message: dict[str, Any], began: float) -> None:
        body, count = message["Body"], int(message["Attributes"]["ApproximateReceiveCount"])
        self.ledger.check(self.name, body not in self.gone, "twice", f"message {body} came after it was deleted")
        hidden = time.time() < self.hidden_until.get(body, 0.0)
        self.ledger.check(self.name, not hidden, "twice", f"message {body} came while it was received")
        before = self.receives[body]
        self.ledger.check(
            self.name, count > before, "lost", f"message {body} was received {before} times and says {count}"
        )
        self.receives[body] = count
        self.hidden_until[body] = began + HIDDEN_SECONDS

    def _finish(self, message: dict[str, Any]) -> None:
        """Delete a message, or let it be received again: at once, or when its time is over."""
        body, asked = message["Body"], {"QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"]}
        chance = self.chance.random()
        if chance < 0.2:
            return
        if chance < 0.4:
            self.hidden_until[body] = 0.0
            self.ack(self.sqs.change_message_visibility(**asked, VisibilityTimeout=0))
            return
        self._doubt({body})
        self.ack(self.sqs.delete_message(**asked))
        self._forget({body})

    def _delete_batch(self, messages: list[dict[str, Any]]) -> None:
        entries = [{"Id": each["Body"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages]
        bodies = {each["Body"] for each in messages}
        self._doubt(bodies)
        failed = self.ack(self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)).get("Failed", [])
        self.ledger.check(self.name, not failed, "wrong", f"not deleted, though just received: {failed}")
        self._forget(bodies)

    def _doubt(self, bodies: set[str]) -> None:
        self.wanted -= bodies
        self.unsure |= bodies

    def _forget(self, bodies: set[str]) -> None:
        self.gone |= bodies
        self.wanted -= bodies
        self.unsure -= bodies
        for body in bodies:
            self.receives.pop(body, None)
            self.hidden_until.pop(body, None)
