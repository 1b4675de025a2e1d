"""A rule of EventBridge with a queue as its target, and a topic with another: what was taken in is delivered."""

from __future__ import annotations

import json
import time

from customer import ACCOUNT_ID, DEFAULT_REGION, Customer

QUIET_SECONDS = 15.0
"""After this long without any delivery, what has not come counts as lost."""


class Events(Customer):
    def prepare(self) -> None:
        self.events, self.sns = self.twin.client("events"), self.twin.client("sns")
        self.sqs = self.twin.client("sqs")
        self.urls = {name: self._queue(name) for name in ("drill-events", "drill-topic")}
        self.events.put_rule(Name="drill", EventPattern=json.dumps({"source": ["drill"]}))
        self.events.put_targets(Rule="drill", Targets=[{"Id": "queue", "Arn": _arn("drill-events")}])
        self.topic = self.sns.create_topic(Name="drill")["TopicArn"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=_arn("drill-topic"))
        self.number = 0
        self.wanted: dict[str, set[int]] = {name: set() for name in self.urls}

    def step(self) -> None:
        self.number += 1
        number, name = self.number, self.chance.choice(list(self.urls))
        if name == "drill-events":
            entry = {"Source": "drill", "DetailType": "tick", "Detail": json.dumps({"number": number})}
            answer = self.ack(self.events.put_events(Entries=[entry]))
            taken = answer["FailedEntryCount"] == 0
        else:
            self.ack(self.sns.publish(TopicArn=self.topic, Message=json.dumps({"number": number})))
            taken = True
        if taken:
            self.wanted[name].add(number)

    def audit(self) -> None:
        for name, url in self.urls.items():
            seen: set[int] = set()
            deadline = time.monotonic() + QUIET_SECONDS
            while time.monotonic() < deadline and not self.wanted[name] <= seen:
                messages = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
                if not messages:
                    time.sleep(0.1)
                    continue
                deadline = time.monotonic() + QUIET_SECONDS
                seen |= {_number(message["Body"]) for message in messages}
                entries = [{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages]
                self.sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            missing = sorted(self.wanted[name] - seen)
            self.ledger.check(
                self.name, not missing, "lost", f"{len(missing)} taken in and never delivered to {name}: {missing[:5]}"
            )
            self.wanted[name] = set()

    def _queue(self, name: str) -> str:
        policy = {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]},
                "Action": "sqs:SendMessage", "Resource": _arn(name),
            }],
        }  # fmt: skip
        url: str = self.sqs.create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
        return url


def _arn(queue: str) -> str:
    return f"arn:aws:sqs:{DEFAULT_REGION}:{ACCOUNT_ID}:{queue}"


def _number(body: str) -> int:
    document = json.loads(body)
    if "Message" in document:
        document = json.loads(document["Message"])
    return int(document.get("detail", document)["number"])
