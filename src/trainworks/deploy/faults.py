"""What AWS and botocore raise, as errors that a person can act on.

`explained` is entered once per verb: inside it code speaks AWS, outside it only `TrainworksError` is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as BotocoreConnectionError,
)

from trainworks.errors import DeployError, RequestError, TrainworksError

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN_KEY = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AuthFailure",
    }
)
_FORBIDDEN = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException", "403"}
)
_CONCURRENT = frozenset(
    {"AlreadyExistsException", "InvalidChangeSetStatus", "ChangeSetNotFound", "OperationInProgressException"}
)
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"}
    | {"SlowDown", "RequestThrottled"}
)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
_UNREACHABLE = (EndpointConnectionError, BotocoreConnectionError, HTTPClientError)


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def is_passing(error: ClientError | BotoCoreError) -> bool:
    """Whether the same request may succeed a little later: rate refused, no connection, a fault of the service."""
    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return error_code(error) in _THROTTLED or status >= 500
    return isinstance(error, _UNREACHABLE)


def is_missing(error: ClientError) -> bool:
    """Whether an S3 head request or an ECR call found nothing."""
    return error_code(error) in {"404", "NoSuchKey", "NoSuchBucket", "NotFound", "RepositoryNotFoundException"}


def is_concurrent(error: ClientError) -> bool:
    """Whether CloudFormation refused because somebody else works on the same stack at the moment."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    is_gone = error_code(error) == "ValidationError" and message.endswith("does not exist")
    return error_code(error) in _CONCURRENT or "_IN_PROGRESS state" in message or is_gone


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn errors of AWS calls inside the block into `RequestError` or `DeployError`; `doing` says what was tried."""
    try:
        yield
    except ClientError as error:
        raise explain_client_error(error, doing) from error
    except BotoCoreError as error:
        raise _explain_local_error(error, doing) from error


def explain_client_error(error: ClientError, doing: str) -> TrainworksError:
    """The error for a refusal by the service. Requests that no retry can fix are `RequestError`."""
    code = error_code(error)
    message = f"{doing}: {error.operation_name}: {error.response.get('Error', {}).get('Message') or code}"
    if code in _EXPIRED:
        return RequestError(message, fix="the credentials have expired: log in again (aws sso login, or new keys)")
    if code in _UNKNOWN_KEY:
        return RequestError(
            message, fix="the endpoint does not know the access key: check aws_profile and trainworks env"
        )
    if code in _FORBIDDEN:
        return RequestError(
            f"{doing}: no permission for {error.operation_name}: {error.response.get('Error', {}).get('Message', '')}",
            fix="allow the user or role that deploys this action on the resource, or use a role that has it",
        )
    if code in _THROTTLED:
        return DeployError(message, fix="AWS refuses the rate of requests: try again in a minute; nothing is lost")
    return DeployError(f"{message} ({code})")


def _explain_local_error(error: BotoCoreError, doing: str) -> TrainworksError:
    message = f"{doing}: {error}"
    if isinstance(error, SSOError | TokenRetrievalError):
        return RequestError(message, fix="aws sso login")
    if isinstance(error, _NO_CREDENTIALS):
        return RequestError(message, fix="aws configure, or set aws_profile of the environment in trainworks.toml")
    if isinstance(error, _UNREACHABLE):
        return DeployError(message, fix="trainworks twin status, or check the network; what was started goes on")
    return DeployError(message)
