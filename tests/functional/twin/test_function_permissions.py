"""Who may invoke a function: what AddPermission gave to users, roles, rules, topics and buckets, and nothing else."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import Any

import pytest
from tests.functional.twin.iam import ACCOUNT, allow, assumed, code, new, role, user

from trainworks.testing import TestTwin

FOREIGN = "111122223333"
DENIED = "AccessDeniedException"
SOURCE = "def handler(event, context):\n    print('GOT', event)\n    return 1\n"


@pytest.fixture
def function(twin: TestTwin) -> str:
    """The name of a new function that prints what it is given; version 1 has the alias `live`."""
    code_of_it, name = io.BytesIO(), new("invoked")
    with zipfile.ZipFile(code_of_it, "w") as archive:
        archive.writestr("index.py", SOURCE)
    logs = allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"])
    client = twin.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=role(twin, {"Service": "lambda.amazonaws.com"}, logs),
        Handler="index.handler",
        Code={"ZipFile": code_of_it.getvalue()},
        Publish=True,
    )
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def let(twin: TestTwin, function: str, **given: Any) -> str:
    """The code that AddPermission answers."""
    permission = {"FunctionName": function, "StatementId": new("s"), "Action": "lambda:InvokeFunction", **given}
    return code(twin.client("lambda").add_permission, **permission)


def test_a_user_is_let_in_at_the_version_that_was_given_and_under_the_conditions(twin: TestTwin, function: str) -> None:
    name, session = user(twin)
    arn, client = f"arn:aws:iam::{ACCOUNT}:user/{name}", twin.client("lambda", session)

    def invoked(**given: Any) -> list[str]:
        assert let(twin, function, **given) == "OK"
        qualifiers: list[dict[str, str]] = [{}, {"Qualifier": "live"}, {"Qualifier": "1"}]
        return [code(client.invoke, FunctionName=function, InvocationType="DryRun", **each) for each in qualifiers]

    nobody = [DENIED] * 3
    assert invoked(Principal="*", PrincipalOrgID="o-1234567890") == nobody
    assert invoked(Principal=arn, SourceAccount=FOREIGN) == nobody
    assert invoked(Principal=arn, SourceArn=f"arn:aws:s3:::{name}") == nobody
    assert invoked(Principal=arn, Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE") == nobody
    assert invoked(Principal=arn, Action="lambda:GetFunction") == nobody
    assert invoked(Principal=arn, Qualifier="live") == [DENIED, "OK", DENIED]
    assert invoked(Principal=arn) == ["OK", "OK", DENIED]


def test_a_role_is_let_in_by_its_arn_and_the_account_only_with_its_own_policies(twin: TestTwin, function: str) -> None:
    plain, able = role(twin, {"AWS": ACCOUNT}), role(twin, {"AWS": ACCOUNT}, allow("lambda:InvokeFunction"))
    plain_client, able_client = (twin.client("lambda", assumed(twin, each)) for each in (plain, able))

    def invoke(client: Any) -> str:
        return code(client.invoke, FunctionName=function, InvocationType="DryRun")

    assert (invoke(plain_client), invoke(able_client)) == (DENIED, "OK")
    assert let(twin, function, Principal=ACCOUNT) == "OK"
    assert invoke(plain_client) == DENIED
    assert let(twin, function, Principal=plain) == "OK"
    assert invoke(plain_client) == "OK"


def test_services_are_let_in_for_the_source_and_the_account_that_were_given(twin: TestTwin, function: str) -> None:
    """Two sources of each service; one is let in, the other's permission is for somebody else."""
    s3, sns, events, functions = (twin.client(name) for name in ("s3", "sns", "events", "lambda"))
    arn = functions.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    for kind, account in (("good", ACCOUNT), ("bad", FOREIGN)):
        mark = new(kind)
        s3.create_bucket(Bucket=mark)
        topic = sns.create_topic(Name=mark)["TopicArn"]
        pattern = json.dumps({"source": [mark]})
        rule = events.put_rule(Name=mark, EventPattern=pattern)["RuleArn"]
        for service, source in (("s3", f"arn:aws:s3:::{mark}"), ("sns", topic), ("events", rule)):
            given = {"Principal": f"{service}.amazonaws.com", "SourceArn": source, "SourceAccount": account}
            assert let(twin, function, **given) == "OK"
        configuration = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
        notified = {"LambdaFunctionConfigurations": [configuration]}
        s3.put_bucket_notification_configuration(Bucket=mark, NotificationConfiguration=notified)
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
        events.put_targets(Rule=mark, Targets=[{"Id": "one", "Arn": arn}])
        s3.put_object(Bucket=mark, Key=f"{kind}-s3", Body=b"x")
        sns.publish(TopicArn=topic, Message=f"{kind}-sns")
        events.put_events(Entries=[{"Source": mark, "DetailType": f"{kind}-events", "Detail": "{}"}])
    wanted = {"good-s3", "good-sns", "good-events"}
    told = _log(twin, function, wanted)
    assert wanted <= {each for each in wanted if each in told}
    assert not [each for each in ("bad-s3", "bad-sns", "bad-events") if each in told]


def test_who_is_nobody_is_refused_and_a_policy_has_an_end(twin: TestTwin, function: str) -> None:
    gone = f"arn:aws:iam::{ACCOUNT}:user/{new('gone')}"
    for principal in ("nobody", gone, "arn:aws:s3:::b", "\ud7ff"):
        assert let(twin, function, Principal=principal) in ("InvalidParameterValueException", "ValidationException")
    assert let(twin, function, Principal=ACCOUNT, Qualifier="99") == "ResourceNotFoundException"
    answers = [let(twin, function, Principal=FOREIGN) for _ in range(120)]
    assert answers[-1] == "PolicyLengthExceededException"
    policy = twin.client("lambda").get_policy(FunctionName=function)["Policy"]
    assert len(json.dumps(json.loads(policy), separators=(",", ":"))) <= 20_480


def _log(twin: TestTwin, function: str, wanted: set[str]) -> str:
    """What the function printed, once all of `wanted` is in there."""
    logs, told = twin.client("logs"), ""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and not all(each in told for each in wanted):
        time.sleep(0.2)
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        try:
            told = " ".join(event["message"] for page in pages for event in page["events"])
        except logs.exceptions.ResourceNotFoundException:
            continue
    return told
