"""What a user names may be called as a word of the API's own paths."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from tests.functional.twin.iam import ACCOUNT, REGION, allow, role, user

from trainworks.testing import TestTwin


def words(client: Any) -> set[str]:
    """The words of the paths of a service, and names that begin with one; a date is none."""
    model = client.meta.service_model
    paths = (model.operation_model(name).http["requestUri"].partition("?")[0] for name in model.operation_names)
    found = {word for path in paths for word in path.split("/") if re.fullmatch(r"[a-z-]+", word)}
    return found | {"url-shortener", "my-event-invoke-config", "list"}


def code() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.py", "def handler(event, context): return 1")
    return made.getvalue()


def test_a_function_may_be_called_as_a_word_of_a_path(twin: TestTwin) -> None:
    root, role_arn, archive, wrong = twin.client("lambda"), role(twin, {"Service": "lambda.amazonaws.com"}), code(), {}
    functions = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"
    for word in sorted(words(root)):
        arn = f"{functions}:{word}"
        try:
            root.create_function(
                FunctionName=word, Runtime="python3.11", Role=role_arn, Handler="a.handler", Code={"ZipFile": archive}
            )
        except ClientError as error:
            wrong[word, "create"] = str(error)
            continue
        # Whose permission names this function alone: the resource is read from the path, too.
        _, session = user(twin, allow("lambda:*", [arn, f"{arn}:*"]))
        client = twin.client("lambda", session)
        for what, (call, told) in calls(client, word, arn).items():
            try:
                if not told(answer := call()):
                    wrong[word, what] = str(answer)
            except ClientError as error:
                wrong[word, what] = str(error)
        root.delete_function(FunctionName=word)
    assert not wrong


def calls(client: Any, name: str, arn: str) -> dict[str, tuple[Callable[[], Any], Callable[[Any], bool]]]:
    """Calls in their order, each with what its answer has to be."""

    def of(operation: str, **given: Any) -> Callable[[], Any]:
        return lambda: getattr(client, operation)(**given)

    one, alias = {"FunctionName": name}, {"FunctionName": name, "Name": name}
    permission = {"StatementId": name, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    return {
        "get": (of("get_function", **one), lambda got: got["Configuration"]["FunctionName"] == name),
        "get by ARN": (
            of("get_function_configuration", FunctionName=arn),
            lambda got: got["FunctionArn"] == arn,
        ),
        "change": (of("update_function_configuration", **one, Timeout=7), lambda got: got["Timeout"] == 7),
        "permit": (of("add_permission", **one, **permission), lambda got: "Statement" in got),
        "policy": (of("get_policy", **one), lambda got: json.loads(got["Policy"])["Statement"][0]["Sid"] == name),
        "permit no more": (of("remove_permission", **one, StatementId=name), bool),
        "publish": (of("publish_version", **one), lambda got: got["Version"] == "1"),
        "versions": (of("list_versions_by_function", **one), lambda got: len(got["Versions"]) == 2),
        "alias": (of("create_alias", **alias, FunctionVersion="1"), lambda got: got["Name"] == name),
        "get alias": (of("get_alias", **alias), lambda got: got["FunctionVersion"] == "1"),
        "change alias": (of("update_alias", **alias, Description="d"), lambda got: got["Description"] == "d"),
        "aliases": (of("list_aliases", **one), lambda got: [each["Name"] for each in got["Aliases"]] == [name]),
        "no alias": (of("delete_alias", **alias), bool),
        "tag": (of("tag_resource", Resource=arn, Tags={"a": "b"}), bool),
        "tags": (of("list_tags", Resource=arn), lambda got: got["Tags"] == {"a": "b"}),
        "events": (
            of("put_function_event_invoke_config", **one, MaximumRetryAttempts=1),
            lambda got: got["MaximumRetryAttempts"] == 1,
        ),
        "all of events": (
            of("list_function_event_invoke_configs", **one),
            lambda got: len(got["FunctionEventInvokeConfigs"]) == 1,
        ),
        "URL": (of("create_function_url_config", **one, AuthType="NONE"), lambda got: "FunctionUrl" in got),
        "URLs": (of("list_function_url_configs", **one), lambda got: len(got["FunctionUrlConfigs"]) == 1),
        "no URL": (of("delete_function_url_config", **one), bool),
        "provisioned": (
            of("list_provisioned_concurrency_configs", **one),
            lambda got: got["ProvisionedConcurrencyConfigs"] == [],
        ),
    }


def test_a_schedule_and_its_group_may_be_called_as_a_word_of_a_path(twin: TestTwin) -> None:
    client, role_arn = twin.client("scheduler"), role(twin, {"Service": "scheduler.amazonaws.com"})
    target = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:none", "RoleArn": role_arn}
    for word in ("schedules", "schedule-groups", "tags"):
        client.create_schedule_group(Name=word)
        client.create_schedule(
            Name=word,
            GroupName=word,
            ScheduleExpression="rate(9 days)",
            Target=target,
            FlexibleTimeWindow={"Mode": "OFF"},
        )
        assert client.get_schedule(Name=word, GroupName=word)["Name"] == word
        assert client.get_schedule_group(Name=word)["Name"] == word
        client.delete_schedule(Name=word, GroupName=word)
        client.delete_schedule_group(Name=word)
