"""What a call writes does not grow with how often it was made: every kind of call that leaves something, by bytes.

A trigger in the twin's database notes what is written. A container that is written whole again with each entry, in
whatever service, is found here by its name.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import shutil
import sqlite3
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.patience import until

from trainworks.testing import TestTwin
from trainworks.twin.home import ACCOUNT_ID

CALLS = 8
"""In a row; as many again three times, before the next ones are counted."""

_TRIGGERS = """
CREATE TABLE noted (number INTEGER PRIMARY KEY, store TEXT NOT NULL, bytes INTEGER NOT NULL);
CREATE TRIGGER note_row AFTER INSERT ON emulator_rows BEGIN
    INSERT INTO noted (store, bytes) VALUES (new.store, length(new.value)); END;
CREATE TRIGGER note_entry AFTER INSERT ON emulator_histories BEGIN
    INSERT INTO noted (store, bytes) VALUES (new.name, length(new.value)); END;
"""
_TRUST = json.dumps(
    {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {
        "AWS": "*", "Service": ["lambda.amazonaws.com", "states.amazonaws.com", "scheduler.amazonaws.com"]}}],
     "Version": "2012-10-17"}
)  # fmt: skip
_PASSES = json.dumps(
    {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": True}}}
)

Make = Callable[[TestTwin], Callable[[str], object]]
KINDS: dict[str, Make] = {}


def kind(make: Make) -> Make:
    KINDS[make.__name__] = make
    return make


def role(twin: TestTwin) -> str:
    name = f"role-{secrets.token_hex(4)}"
    return str(twin.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=_TRUST)["Role"]["Arn"])


def archive_of(text: str) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        archive.writestr("m.py", f"def h(event, context):\n    return {text!r}\n")
    return found.getvalue()


@kind
def parameters(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("ssm")
    return lambda text: client.put_parameter(Name="/flat", Value=text, Type="String", Overwrite=True)


@kind
def alarms(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("cloudwatch")
    alarm = {"MetricName": "m", "Namespace": "flat", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
    client.put_metric_alarm(AlarmName="flat", ComparisonOperator="LessThanThreshold", Statistic="Sum", **alarm)

    def flip(text: str) -> None:
        for state in ("OK", "ALARM"):
            client.set_alarm_state(AlarmName="flat", StateValue=state, StateReason=text)

    return flip


@kind
def stacks(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("cloudformation")

    def body(text: str) -> str:
        return json.dumps({"Resources": {"P": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": text}}}})

    def status() -> str:
        return str(client.describe_stacks(StackName="flat")["Stacks"][0]["StackStatus"])

    client.create_stack(StackName="flat", TemplateBody=body("first"))
    until(lambda: status() == "CREATE_COMPLETE", "the stack")

    def update(text: str) -> None:
        client.update_stack(StackName="flat", TemplateBody=body(text))
        until(lambda: not status().endswith("_IN_PROGRESS"), "the update")

    return update


@kind
def archived_events(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("events")
    bus = client.describe_event_bus(Name="default")["Arn"]
    client.create_archive(ArchiveName="flat", EventSourceArn=bus, EventPattern=json.dumps({"source": ["flat"]}))
    entry = {"Source": "flat", "DetailType": "d"}
    return lambda text: client.put_events(Entries=[entry | {"Detail": json.dumps({"text": text * 20})}])


@kind
def executions(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("stepfunctions")
    machine = client.create_state_machine(name="flat", roleArn=role(twin), definition=_PASSES)["stateMachineArn"]

    def run(text: str) -> None:
        execution = client.start_execution(stateMachineArn=machine, input=json.dumps(text))["executionArn"]
        until(lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING", "the execution")

    return run


@kind
def texts(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("sns")
    return lambda text: client.publish(PhoneNumber="+15550001111", Message=text)


@kind
def messages(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("sqs")
    queue = client.create_queue(QueueName="flat.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]

    def send(text: str) -> None:
        client.send_message(QueueUrl=queue, MessageBody=text, MessageGroupId="g", MessageDeduplicationId=text)
        for message in client.receive_message(QueueUrl=queue).get("Messages", []):
            client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    return send


@kind
def kept_messages(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("sqs")
    queue = client.create_queue(QueueName="flat-kept")["QueueUrl"]
    return lambda text: client.send_message(QueueUrl=queue, MessageBody=text)


@kind
def secret_values(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("secretsmanager")
    client.create_secret(Name="flat", SecretString="first")
    return lambda text: client.put_secret_value(SecretId="flat", SecretString=text)


@kind
def versions_of_functions(twin: TestTwin) -> Callable[[str], object]:
    client, arn = twin.client("lambda"), role(twin)
    code = {"ZipFile": archive_of("first")}
    client.create_function(FunctionName="flat", Runtime="python3.11", Role=arn, Handler="m.h", Code=code)

    def publish(text: str) -> None:
        client.update_function_code(FunctionName="flat", ZipFile=archive_of(text), Publish=True)

    def is_settled() -> bool:
        """A version is written again when it becomes active, half a second later."""
        last = client.list_versions_by_function(FunctionName="flat")["Versions"][-1]["Version"]
        return client.get_function_configuration(FunctionName="flat", Qualifier=last)["State"] == "Active"

    publish.is_settled = is_settled  # type: ignore[attr-defined]
    return publish


@kind
def versions_of_layers(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("lambda")
    return lambda text: client.publish_layer_version(LayerName="flat", Content={"ZipFile": archive_of(text)})


@kind
def items(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("dynamodb")
    client.create_table(
        TableName="flat",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )

    def put(text: str) -> None:
        write = {"TableName": "flat", "Item": {"id": {"S": "one"}, "text": {"S": text}}}
        client.put_item(**write)
        client.transact_write_items(TransactItems=[{"Put": write}], ClientRequestToken=text)

    return put


@kind
def images(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("ecr")
    client.create_repository(repositoryName="flat")

    def push(text: str) -> None:
        config = json.dumps(text).encode()
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        place = {"repositoryName": "flat", "uploadId": client.initiate_layer_upload(repositoryName="flat")["uploadId"]}
        client.upload_layer_part(**place, partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config)
        client.complete_layer_upload(**place, layerDigests=[digest])
        manifest = {"schemaVersion": 2, "config": {"digest": digest, "size": len(config)}, "layers": []}
        client.put_image(repositoryName="flat", imageTag="latest", imageManifest=json.dumps(manifest))

    return push


@kind
def versions_of_templates(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("ec2")
    data = {"LaunchTemplateData": {"InstanceType": "t3.micro"}}
    client.create_launch_template(LaunchTemplateName="flat", **data)
    return lambda text: client.create_launch_template_version(
        LaunchTemplateName="flat", VersionDescription=text, **data
    )


@kind
def sessions(twin: TestTwin) -> Callable[[str], object]:
    client, arn = twin.client("sts"), role(twin)
    return lambda text: client.assume_role(RoleArn=arn, RoleSessionName=text)


@kind
def versions_of_machines(twin: TestTwin) -> Callable[[str], object]:
    client = twin.client("stepfunctions")
    machine = client.create_state_machine(name="flat-v", roleArn=role(twin), definition=_PASSES)["stateMachineArn"]

    def publish(text: str) -> None:
        client.update_state_machine(
            stateMachineArn=machine, definition=json.dumps(json.loads(_PASSES) | {"Comment": text})
        )
        client.publish_state_machine_version(stateMachineArn=machine)

    return publish


@kind
def what_comes_and_goes(twin: TestTwin) -> Callable[[str], object]:
    iam, buckets, scheduler, keys = (twin.client(name) for name in ("iam", "s3", "scheduler", "kms"))
    arn, key = role(twin), keys.create_key()["KeyMetadata"]["KeyId"]
    target = {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:none", "RoleArn": arn}

    def cycle(text: str) -> None:
        iam.create_role(RoleName=text, AssumeRolePolicyDocument=_TRUST)
        iam.delete_role(RoleName=text)
        buckets.create_bucket(Bucket=text)
        buckets.delete_bucket(Bucket=text)
        grant = keys.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Decrypt"])["GrantId"]
        keys.revoke_grant(KeyId=key, GrantId=grant)
        scheduler.create_schedule(
            Name=text, ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
        )
        scheduler.delete_schedule(Name=text)

    return cycle


@pytest.fixture(scope="module")
def noted() -> Iterator[TestTwin]:
    """A twin whose database notes what is written."""

    root = Path(tempfile.mkdtemp(prefix="tw-"))
    try:
        with TestTwin(root / "home") as running:
            with sqlite3.connect(running.home.emulator_db, timeout=60) as connection:
                connection.executescript(_TRIGGERS)
            yield running
    finally:
        shutil.rmtree(root)


def written(twin: TestTwin, call: Callable[[str], object]) -> Counter[str]:
    """Bytes by kind of store that some calls write, with all that follows from them, and nothing of earlier ones."""
    settled = getattr(call, "is_settled", lambda: True)
    with sqlite3.connect(twin.home.emulator_db, timeout=60) as connection:
        until(settled, "what was made to settle")
        start = last_when_quiet(connection)
        for _ in range(CALLS):
            call(f"flat-{secrets.token_hex(8)}")
        until(settled, "what was made to settle")
        last_when_quiet(connection)
        found: Counter[str] = Counter()
        for store, size in connection.execute("SELECT store, bytes FROM noted WHERE number > ?", (start,)):
            found[store.partition("/")[0]] += size
    return found


def last_when_quiet(connection: sqlite3.Connection) -> int:
    """The number of the last row that was noted, once none follows: states of what was made change a little later."""
    seen: list[int] = []

    def quiet() -> bool:
        seen.append(connection.execute("SELECT COALESCE(MAX(number), 0) FROM noted").fetchone()[0])
        return len(seen) > 25 and seen[-25] == seen[-1]

    until(quiet, "the background to have written")
    return seen[-1]


@pytest.mark.parametrize("name", KINDS)
def test_what_a_call_writes_does_not_grow(noted: TestTwin, name: str) -> None:
    call = KINDS[name](noted)
    written(noted, call)
    few = written(noted, call)
    for _ in range(3 * CALLS):
        call(f"flat-{secrets.token_hex(8)}")
    many = written(noted, call)
    # A row whose state changes meanwhile is written two or three times, as the background comes by; a container that is
    # written whole again has nine times as many entries by then.
    grown = {store: (few[store], size) for store, size in many.items() if size > 3 * few[store] + 250 * CALLS}
    assert not grown, f"{name}: bytes of {CALLS} calls, and of as many after {3 * CALLS} more: {grown}"
