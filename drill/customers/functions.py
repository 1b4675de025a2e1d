"""A function that is invoked: an answer is the right one, and what was taken in for later happens."""

from __future__ import annotations

import io
import json
import time
import zipfile

from customer import Customer

NAME, TABLE = "drill-function", "drill-invoked"
CODE = f"""import boto3
def handler(event, context):
    if event.get("keep"):
        boto3.client("dynamodb").put_item(TableName="{TABLE}", Item={{"id": {{"S": event["keep"]}}}})
    return event.get("number", 0) * 2
"""


class Functions(Customer):
    def prepare(self) -> None:
        self.functions, self.dynamodb = self.twin.client("lambda"), self.twin.table(TABLE)
        role = self.twin.role(NAME, "lambda.amazonaws.com", "logs:*", "dynamodb:PutItem")
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.py", CODE)
        self.functions.create_function(
            FunctionName=NAME, Runtime="python3.11", Role=role, Handler="index.handler", Timeout=30,
            Code={"ZipFile": archive.getvalue()},
        )  # fmt: skip
        self.number = 0
        self.wanted: set[str] = set()

    def step(self) -> None:
        self.number += 1
        if self.number % 20 == 0:
            self._later()
            return
        started = time.time()
        payload = json.dumps({"number": self.number}).encode()
        answer = self.ack(self.functions.invoke(FunctionName=NAME, Payload=payload))
        found = answer["Payload"].read()
        right = found == str(2 * self.number).encode() and "FunctionError" not in answer
        excused = "FunctionError" in answer and self.ledger.kills_since(started - 5) > 0
        self.ledger.check(self.name, right or excused, "wrong", f"2 x {self.number} is said to be {found[:200]!r}")
        time.sleep(0.05)

    def audit(self) -> None:
        def all_there() -> bool:
            return all(
                "Item" in self.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": name}}) for name in self.wanted
            )

        self.ledger.check(
            self.name, self.wait(all_there, 120, f"an event that {NAME} took in"), "lost", "asynchronous invocations"
        )
        self.wanted.clear()

    def _later(self) -> None:
        name = f"e{self.number}"
        payload = json.dumps({"keep": name}).encode()
        answer = self.ack(self.functions.invoke(FunctionName=NAME, InvocationType="Event", Payload=payload))
        if answer["StatusCode"] == 202:
            self.wanted.add(name)
