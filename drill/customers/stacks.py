"""Stacks with a function as custom resource: what was described at rest has all its resources, later too."""

from __future__ import annotations

import json
import time

from botocore.exceptions import ClientError
from customer import Customer, code_of

MOST = 6
ENDS = ("_COMPLETE", "_FAILED")
CREATED = {"CREATE_COMPLETE", "ROLLBACK_COMPLETE"}
UPDATED = {"UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"}
DELETED = {"", "DELETE_COMPLETE", "DELETE_FAILED"}
CODE = """import cfnresponse
def handler(event, context):
    number = event["ResourceProperties"]["Number"]
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Doubled": str(2 * int(number))}, "custom-" + number)
"""


class Stacks(Customer):
    """`complete` maps a stack's name to the number that it has, and the status in which its last operation ended.

    An update that a kill interrupts is rolled back, and the stack has the number from before: that is right, and so is
    its status from then on. `doubtful` has the statuses in which an operation may end whose end was not seen: whatever
    is killed, an update leaves a stack, and none that says that it was never made.
    """

    def prepare(self) -> None:
        self.cloudformation, self.ssm = self.twin.client("cloudformation"), self.twin.client("ssm")
        self.sqs = self.twin.client("sqs")
        self.made = 0
        self.complete: dict[str, tuple[int, str]] = {}
        self.doubtful: dict[str, set[str]] = {}

    def step(self) -> None:
        if len(self.complete) < MOST:
            self.made += 1
            self._operate(f"drill-{self.made}", self.cloudformation.create_stack, "CREATE_COMPLETE")
            return
        name = self.chance.choice(list(self.complete))
        if self.chance.random() < 0.5:
            self._operate(name, self.cloudformation.update_stack, "UPDATE_COMPLETE")
        else:
            self._delete(name)

    def audit(self) -> None:
        for name, possible in self.doubtful.items():
            status = self._end(name)
            self.ledger.check(self.name, status in possible, "lost", f"stack {name} is {status}, not one of {possible}")
        self.doubtful.clear()
        for name, (number, ended) in self.complete.items():
            found = {part: self._parameter(f"/{name}/{part}") for part in ("number", "doubled")}
            wanted = {"number": str(number), "doubled": str(2 * number)}
            status = self._status(name)
            holds = found == wanted and status == ended
            self.ledger.check(
                self.name, holds, "lost", f"stack {name} was {ended} with {wanted}; it is {status} with {found}"
            )

    def _operate(self, name: str, call: object, wanted: str) -> None:
        number = self.chance.randrange(1, 10_000)
        before = self.complete.pop(name, None)
        ends = UPDATED if before else CREATED
        self.doubtful[name] = {*ends, before[1] if before else ""}
        started = time.time()
        self.ack(
            call(  # type: ignore[operator]
                StackName=name, TemplateBody=template(), Capabilities=["CAPABILITY_IAM"],
                Parameters=[{"ParameterKey": "Number", "ParameterValue": str(number)}],
            )
        )  # fmt: skip
        status = self._end(name)
        del self.doubtful[name]
        self.ledger.check(self.name, status in ends, "lost", f"stack {name} ended as {status}, not as one of {ends}")
        if status == wanted:
            self.complete[name] = (number, status)
        elif status == "UPDATE_ROLLBACK_COMPLETE" and before is not None:
            self.complete[name] = (before[0], status)
        if status != wanted:
            self._explain(name, status, started)

    def _delete(self, name: str) -> None:
        _, before = self.complete.pop(name)
        self.doubtful[name] = {*DELETED, before}
        started = time.time()
        self.ack(self.cloudformation.delete_stack(StackName=name))
        status = self._end(name)
        del self.doubtful[name]
        self.ledger.check(self.name, status in DELETED, "lost", f"the deletion of {name} was accepted; it is {status}")
        if status not in ("", "DELETE_COMPLETE"):
            self._explain(name, status, started)
            return
        left = self._parameter(f"/{name}/number")
        self.ledger.check(self.name, not left, "orphan", f"stack {name} is deleted, its parameter is still {left}")

    def _explain(self, name: str, status: str, started: float) -> None:
        """An operation may fail because of a kill in the middle of it, and for nothing else."""
        self.ledger.check(
            self.name, self.ledger.kills_since(started - 5) > 0, "wrong",
            f"stack {name} ended as {status} ({self._reasons(name)}) and nothing was killed meanwhile",
        )  # fmt: skip

    def _end(self, name: str) -> str:
        """Wait until the stack is at rest; "" if it is gone."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            status = self._status(name)
            if not status or status.endswith(ENDS):
                return status
            time.sleep(0.1)
        self.ledger.find("lost", self.name, f"stack {name} is {status} for two minutes")
        return status

    def _status(self, name: str) -> str:
        try:
            return str(self.ack(self.cloudformation.describe_stacks(StackName=name))["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if code_of(error) != "ValidationError":
                raise
            return ""

    def _reasons(self, name: str) -> str:
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return "; ".join(each["ResourceStatusReason"] for each in events if each.get("ResourceStatusReason"))[:300]

    def _parameter(self, name: str) -> str:
        try:
            return str(self.ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except ClientError as error:
            if code_of(error) != "ParameterNotFound":
                raise
            return ""


def template() -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    resources = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11", "Handler": "index.handler", "Code": {"ZipFile": CODE},
                "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Timeout": 30,
            },
        },
        "Double": {
            "Type": "Custom::Double",
            "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "Number": {"Ref": "Number"}},
        },
        "Queue": {"Type": "AWS::SQS::Queue"},
        "NumberParameter": _parameter("number", {"Ref": "Number"}),
        "DoubledParameter": _parameter("doubled", {"Fn::GetAtt": ["Double", "Doubled"]}),
    }  # fmt: skip
    return json.dumps({"Parameters": {"Number": {"Type": "Number"}}, "Resources": resources})


def _parameter(part: str, value: object) -> dict[str, object]:
    name = {"Fn::Sub": f"/${{AWS::StackName}}/{part}"}
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": name, "Value": value}}
