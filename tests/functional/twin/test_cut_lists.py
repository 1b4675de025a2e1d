"""Lists of more than a page: whoever follows the tokens gets all of them, each once."""

from __future__ import annotations

import json
from typing import Any

from tests.functional.twin.iam import new, role
from tests.patience import until

from trainworks.testing import TestTwin

MANY = 150


def pages(call: Any, listed: str, **given: Any) -> list[list[Any]]:
    found, token = [], {}
    while True:
        answer = call(**given, **token)
        found.append(answer[listed])
        if "nextToken" not in answer:
            return found
        token = {"nextToken": answer["nextToken"]}


def test_repositories_come_in_pages(twin: TestTwin) -> None:
    client, prefix = twin.client("ecr"), new("cut")
    names = {f"{prefix}/{number}" for number in range(MANY)}
    for name in names:
        client.create_repository(repositoryName=name)
    try:
        for size in ({}, {"maxResults": 40}):
            found = pages(client.describe_repositories, "repositories", **size)
            assert all(len(page) <= size.get("maxResults", 100) for page in found)
            told = [each["repositoryName"] for page in found for each in page]
            assert len(told) == len(set(told))
            assert names <= set(told)
        named = client.describe_repositories(repositoryNames=sorted(names)[:100])
        assert len(named["repositories"]) == 100
    finally:
        for name in names:
            client.delete_repository(repositoryName=name)


def test_versions_aliases_and_executions_of_a_state_machine_come_in_pages(twin: TestTwin) -> None:
    client, name = twin.client("stepfunctions"), new("cut")
    arn = role(twin, {"Service": "states.amazonaws.com"})
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    machine = client.create_state_machine(name=name, definition=definition, roleArn=arn)["stateMachineArn"]
    versions, aliases, executions = [], [], []
    for number in range(MANY):
        definition = json.dumps({"StartAt": "A", "Comment": str(number), "States": {"A": {"Type": "Succeed"}}})
        client.update_state_machine(stateMachineArn=machine, definition=definition)
        versions.append(client.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"])
        routing = [{"stateMachineVersionArn": versions[0], "weight": 100}]
        made = client.create_state_machine_alias(name=f"a{number}", routingConfiguration=routing)
        aliases.append(made["stateMachineAliasArn"])
        executions.append(client.start_execution(stateMachineArn=machine, name=f"e{number}")["executionArn"])
    # The list is in the order of last changes, as AWS's is: what ends between two pages is on one that has been read.
    running = {"stateMachineArn": machine, "statusFilter": "RUNNING"}
    until(lambda: not client.list_executions(**running)["executions"], "the executions to end")
    for call, listed, member, made_of in (
        (client.list_state_machine_versions, "stateMachineVersions", "stateMachineVersionArn", versions),
        (client.list_state_machine_aliases, "stateMachineAliases", "stateMachineAliasArn", aliases),
        (client.list_executions, "executions", "executionArn", executions),
    ):
        found = pages(call, listed, stateMachineArn=machine, maxResults=40)
        assert [len(page) for page in found] == [40, 40, 40, 30]
        assert sorted(each[member] for page in found for each in page) == sorted(made_of)
