"""Errors of AWS calls become sentences with a fix and the right exit code."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from tests.unit.deploy.cloudformation import refusal
from trainworks.deploy.faults import explained, is_passing
from trainworks.errors import DeployError, RequestError, TrainworksError


@pytest.mark.parametrize(
    ("error", "kind", "fix"),
    [
        (refusal("ExpiredToken", "The security token is expired"), RequestError, "log in again"),
        (refusal("UnrecognizedClientException", "The token is invalid"), RequestError, "access key"),
        (refusal("AccessDenied", "User x is not authorized to perform y"), RequestError, "this action"),
        (refusal("Throttling", "Rate exceeded"), DeployError, "minute"),
        (refusal("ValidationError", "Template format error: bad"), DeployError, ""),
        (NoCredentialsError(), RequestError, "aws configure"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), DeployError, "twin status"),
    ],
)
def test_an_aws_error_says_what_was_tried_and_what_mends_it(
    error: Exception, kind: type[TrainworksError], fix: str
) -> None:
    with pytest.raises(kind, match="deploying platform") as raised, explained("deploying platform"):
        raise error
    assert fix in raised.value.fix
    assert raised.value.__cause__ is error


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), explained("dividing"):
        _ = 1 / 0


def test_what_is_worth_trying_again() -> None:
    assert is_passing(refusal("ThrottlingException", "slow down"))
    assert is_passing(refusal("InternalFailure", "oops", status=503))
    assert not is_passing(refusal("AccessDenied", "no"))
    assert not is_passing(NoCredentialsError())
