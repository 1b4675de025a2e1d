"""A state machine: each execution that was started ends, and what a succeeded one has done is there."""

from __future__ import annotations

import json
import time
from contextlib import suppress

from customer import Customer, CutOff

NAME, TABLE = "drill-machine", "drill-machine"
MOST_OPEN = 6
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
DEFINITION = {
    "StartAt": "Rest",
    "States": {
        "Rest": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Both"},
        "Both": {
            "Type": "Map",
            "ItemsPath": "$.parts",
            "ItemSelector": {"id.$": "States.Format('{}/{}', $.name, $$.Map.Item.Value)"},
            "ItemProcessor": {
                "StartAt": "Keep",
                "States": {
                    "Keep": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::dynamodb:putItem",
                        "Parameters": {"TableName": TABLE, "Item": {"id": {"S.$": "$.id"}}},
                        "ResultPath": None,
                        "OutputPath": "$.id",
                        "End": True,
                    }
                },
            },
            "End": True,
        },
    },
}


class Machines(Customer):
    """`open` maps an execution's ARN to its name and the time of its start."""

    def prepare(self) -> None:
        self.states, self.dynamodb = self.twin.client("stepfunctions"), self.twin.table(TABLE)
        role = self.twin.role(NAME, "states.amazonaws.com", "dynamodb:PutItem")
        self.arn = self.states.create_state_machine(name=NAME, definition=json.dumps(DEFINITION), roleArn=role)[
            "stateMachineArn"
        ]
        self.number = 0
        self.open: dict[str, tuple[str, float]] = {}
        self.done: set[str] = set()

    def step(self) -> None:
        time.sleep(0.2)
        if len(self.open) >= MOST_OPEN:
            self._look()
            return
        self.number += 1
        name, started = f"e{self.number}", time.time()
        given = json.dumps({"name": name, "seconds": self.chance.choice([0, 0, 1]), "parts": ["a", "b"]})
        arn = f"{self.arn.replace(':stateMachine:', ':execution:')}:{name}"
        try:
            self.ack(self.states.start_execution(stateMachineArn=self.arn, name=name, input=given))
        except CutOff:
            # Asked again by its name it is the same execution, whether it began, and has ended by now, or not.
            with suppress(self.states.exceptions.ExecutionAlreadyExists):
                self.ack(self.states.start_execution(stateMachineArn=self.arn, name=name, input=given))
        self.open[arn] = (name, started)

    def audit(self) -> None:
        def none_open() -> bool:
            self._look()
            return not self.open

        self.wait(none_open, 120, f"the end of executions {sorted(name for name, _ in self.open.values())}")
        for name in self.done:
            kept = [part for part in "ab" if "Item" in self._item(f"{name}/{part}")]
            self.ledger.check(self.name, kept == ["a", "b"], "lost", f"{name} is SUCCEEDED and has kept {kept}")
        self.done.clear()

    def _look(self) -> None:
        for arn in list(self.open):
            execution = self.ack(self.states.describe_execution(executionArn=arn))
            if execution["status"] in ENDED:
                self._judge(execution, *self.open.pop(arn))

    def _judge(self, execution: dict[str, object], name: str, started: float) -> None:
        status = execution["status"]
        excused = status == "FAILED" and self.ledger.kills_since(started - 1) > 0
        told = f"{status}: {execution.get('error')}: {execution.get('cause')}"
        self.ledger.check(self.name, status == "SUCCEEDED" or excused, "wrong", f"{name} is {told}")
        events = self.states.get_execution_history(executionArn=execution["executionArn"])["events"]
        ends = (events[0]["type"], events[-1]["type"])
        wanted = ("ExecutionStarted", f"Execution{str(status).title()}")
        self.ledger.check(self.name, ends == wanted, "lost", f"the history of {name} goes from {ends[0]} to {ends[1]}")
        if status == "SUCCEEDED":
            output = json.loads(str(execution["output"]))
            self.ledger.check(
                self.name, output == [f"{name}/a", f"{name}/b"], "wrong", f"the output of {name} is {output}"
            )
            self.done.add(name)

    def _item(self, key: str) -> dict[str, object]:
        answer: dict[str, object] = self.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": key}})
        return answer
