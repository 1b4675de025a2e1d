"""Following an operation: to its end, through throttling and restarts, and what Ctrl-C leaves running."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.unit.deploy.cloudformation import (
    NETWORK_ID,
    ROOT_ID,
    FakeCloudFormation,
    described,
    of_nested,
    of_stack,
    refusal,
)
from trainworks.assembly.places import Places
from trainworks.deploy.clients import Clients
from trainworks.deploy.events import EventStream
from trainworks.deploy.follow import OperationOutcome, Pacing, StackMonitor, follow
from trainworks.deploy.progress import Progress, ResourceProgress
from trainworks.errors import DeployInterruptedError

PACING = Pacing(1.0, 4.0)


def _follow(
    client: FakeCloudFormation, sleep: Callable[[float], None], report: Callable[[Progress], None] = lambda p: None
) -> OperationOutcome:
    clients = Clients(lambda service_name: client)
    stream = EventStream(client, ROOT_ID)  # type: ignore[arg-type]
    return follow(clients, stream, "platform", Places("platform"), StackMonitor(report, PACING, sleep))


def test_it_ends_when_the_stack_is_at_rest_and_not_at_its_first_terminal_event() -> None:
    client = FakeCloudFormation(
        {ROOT_ID: [of_stack("a", "UPDATE_COMPLETE")]}, {ROOT_ID: "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}
    )

    def cleanup_ends(seconds: float) -> None:
        client.states[ROOT_ID] = "UPDATE_COMPLETE"

    assert _follow(client, cleanup_ends).status == "UPDATE_COMPLETE"


def test_waiting_grows_while_nothing_happens() -> None:
    client = FakeCloudFormation({ROOT_ID: [of_stack("a", "CREATE_IN_PROGRESS")]}, {ROOT_ID: "CREATE_COMPLETE"})
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 6:
            client.events[ROOT_ID].append(of_stack("b", "CREATE_COMPLETE", seconds=9))

    _follow(client, sleep)
    assert waits == [1.0, 1.5, 2.25, 3.375, 4.0, 4.0]


def test_a_restarting_endpoint_and_throttling_are_waited_out() -> None:
    failures: list[Exception] = [
        refusal("Throttling", "Rate exceeded"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        refusal("InternalFailure", "oops", status=500),
    ]
    client = FakeCloudFormation(
        {ROOT_ID: [of_stack("a", "CREATE_COMPLETE")]}, {ROOT_ID: "CREATE_COMPLETE"}, failures=failures
    )
    assert _follow(client, lambda seconds: None).status == "CREATE_COMPLETE"


def test_an_endpoint_that_stays_away_is_an_error() -> None:
    gone: list[Exception] = [EndpointConnectionError(endpoint_url="http://127.0.0.1:1") for _ in range(50)]
    client = FakeCloudFormation(failures=gone)
    slept: list[float] = []
    with pytest.raises(EndpointConnectionError):
        _follow(client, slept.append)
    assert 40 < sum(slept) < 80


def test_ctrl_c_ends_the_watching_alone() -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    client = FakeCloudFormation({ROOT_ID: [of_stack("a", "CREATE_IN_PROGRESS")]})
    with pytest.raises(DeployInterruptedError, match="CloudFormation goes on") as interrupted:
        _follow(client, interrupt)
    assert interrupted.value.exit_code == 130
    assert "same command again" in interrupted.value.fix


def test_progress_has_construct_paths_and_the_error_names_the_first_cause() -> None:
    client = FakeCloudFormation(
        {
            ROOT_ID: [
                of_stack("a", "CREATE_IN_PROGRESS"),
                of_nested("b", "CREATE_IN_PROGRESS", seconds=1),
                of_nested("c", "CREATE_FAILED", reason="Embedded stack x was not successfully created", seconds=4),
                of_stack("d", "ROLLBACK_COMPLETE", seconds=5),
            ],
            NETWORK_ID: [
                described(
                    "n",
                    "CREATE_FAILED",
                    logical_id="Vpc",
                    resource_type="AWS::EC2::VPC",
                    stack_id=NETWORK_ID,
                    reason="The maximum number of VPCs has been reached. (VpcLimitExceeded)",
                    seconds=3,
                )
            ],
        },
        {ROOT_ID: "ROLLBACK_COMPLETE"},
    )
    told: list[Any] = []
    outcome = _follow(client, lambda seconds: None, told.append)
    assert [p.place for p in told if isinstance(p, ResourceProgress)] == [
        "platform",
        "Network",
        "Network/Vpc",
        "Network",
        "platform",
    ]
    error = outcome.error("the deployment")
    assert "Network/Vpc (AWS::EC2::VPC Vpc): CREATE_FAILED: The maximum number of VPCs" in error.message
    assert "quota" in error.fix
