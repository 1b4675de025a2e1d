"""What many change at once of a group's tags, of a destination and of policies is all there, and within its limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.twin.services.fakes import CALLER, FakeControlPlane
from trainworks.twin.ports import ApiError
from trainworks.twin.services.logs.service import LogsService
from trainworks.twin.store import Database

POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
WRITERS = 8


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[LogsService]:
    service = LogsService(Database(tmp_path / "logs.db"), FakeControlPlane())
    yield service
    service.close()


def invoke(logs: LogsService, operation: str, **params: Any) -> dict[str, Any]:
    return dict(logs.endpoint.invoke(operation, params, CALLER))


def test_no_tag_of_a_group_is_lost(logs: LogsService) -> None:
    invoke(logs, "CreateLogGroup", logGroupName="g", tags={"old": "1"})
    arn = f"arn:aws:logs:{CALLER.region}:{CALLER.account_id}:log-group:g"

    def tag(number: int) -> None:
        invoke(logs, "TagResource", resourceArn=arn, tags={f"k{number}": "", f"gone{number}": ""})
        invoke(logs, "UntagLogGroup", logGroupName="g", tags=[f"gone{number}"])

    at_once(tag, 20)
    tags = invoke(logs, "ListTagsForResource", resourceArn=arn)["tags"]
    assert tags == {"old": "1"} | {f"k{number}": "" for number in range(20)}


def test_a_destination_keeps_its_policy(logs: LogsService) -> None:
    given = {"destinationName": "d", "targetArn": "arn:aws:kinesis:x", "roleArn": "arn:aws:iam::000000000000:role/r"}
    invoke(logs, "PutDestination", **given)
    for _ in range(10):

        def put(number: int) -> None:
            if number % 2:
                invoke(logs, "PutDestination", **given)
            else:
                invoke(logs, "PutDestinationPolicy", destinationName="d", accessPolicy=POLICY)

        at_once(put, WRITERS)
        [shown] = invoke(logs, "DescribeDestinations")["destinations"]
        assert shown["accessPolicy"] == POLICY


def test_an_account_has_at_most_ten_policies_and_of_two_changes_of_one_revision_one_wins(logs: LogsService) -> None:
    outcomes: list[str] = []

    def put(name: str, **more: Any) -> None:
        try:
            invoke(logs, "PutResourcePolicy", policyName=name, policyDocument=POLICY, **more)
            outcomes.append("OK")
        except ApiError as error:
            outcomes.append(error.code)

    at_once(lambda number: put(f"p{number}"), 24)
    assert sorted(outcomes) == ["LimitExceededException"] * 14 + ["OK"] * 10
    [first, *_] = invoke(logs, "DescribeResourcePolicies")["resourcePolicies"]
    outcomes.clear()
    at_once(lambda _: put(first["policyName"], expectedRevisionId=first["revisionId"]), WRITERS)
    assert sorted(outcomes) == ["OK"] + ["OperationAbortedException"] * (WRITERS - 1)


def at_once(work: Callable[[int], None], count: int) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(count)))
