"""One look at something: found, absent, or the reason why nobody could look.

Diagnosis never asks AWS itself: it gets records whose members are `Look`s, each with the call that was made and when.
So a conclusion can name its evidence, an unanswered question is a finding of its own, and every conclusion is a pure
function that tests feed with records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from trainworks.doctor.finding import Evidence, Finding, Outcome

T = TypeVar("T")

ClientFactory = Callable[[str], Any]
"""`boto3.Session.client`, or anything that answers like it."""

_DENIED = re.compile(r"AccessDenied|Unauthorized|Forbidden|AuthorizationError|^403$|OptInRequired", re.IGNORECASE)
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
    TokenRetrievalError,
)
NOT_OFFERED = "operation not offered by this endpoint"
_NOT_OFFERED = frozenset(
    {"NotImplemented", "UnknownOperationException", "InvalidAction", "UnsupportedOperation", "501"}
)


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """A question and its answer. `value` is None if the thing is absent, or `why_not` says why nobody could look."""

    call: str
    at: datetime
    value: T | None = None
    why_not: str = ""

    @property
    def is_absent(self) -> bool:
        """Asked, answered, and not there."""
        return self.value is None and not self.why_not

    def evidence(self, value: object) -> Evidence:
        """What of this answer a conclusion rests on."""
        return Evidence(self.call, str(value), self.at)


class Looker:
    """Makes the calls. `factory` is a session's `client`; each client is made once."""

    def __init__(self, factory: ClientFactory, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._factory = factory
        self._clients: dict[str, Any] = {}
        self.now = now

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._factory(service)
        return self._clients[service]

    def ask(
        self,
        call: str,
        read: Callable[[Any], T | None],
        *,
        absent: tuple[str, ...] = (),
        subject: str = "",
    ) -> Look[T]:
        """Ask `call` (`iam:GetRole`) by `read`, which gets the service's client and may make several requests.

        `absent` are parts of error codes and messages that mean "there is none". All else that a service refuses is
        why nobody could look; an error of the program itself is raised.
        """
        shown = f"{call} {subject}".strip()
        at = self.now()
        try:
            return Look(shown, at, read(self.client(_client_name(call))))
        except ClientError as error:
            details: Mapping[str, Any] = error.response.get("Error", {})
            code, message = str(details.get("Code", "")), str(details.get("Message", ""))
            if any(mark in code or mark in message for mark in absent):
                return Look(shown, at)
            return Look(shown, at, why_not=_why_not(call, code, message))
        except _NO_CREDENTIALS as error:
            return Look(shown, at, why_not=f"no credentials: {error}")
        except BotoCoreError as error:
            return Look(shown, at, why_not=f"no answer: {error}")


def not_asked(call: str, at: datetime) -> Look[Any]:
    """For what there was no reason to look at; it counts as absent and is never a finding."""
    return Look(call, at)


def could_not_look(facts: object) -> tuple[Finding, ...]:
    """A finding for each look of a record, at any depth, that nobody could take; each call and reason once."""
    seen: dict[tuple[str, str], Finding] = {}
    for look in _looks_in(facts):
        if look.why_not:
            call = look.call.partition(" ")[0]
            finding = Finding(
                code="could-not-look",
                outcome=Outcome.COULD_NOT_LOOK,
                what=f"{look.call}: {look.why_not}",
                evidence=(look.evidence(look.why_not),),
                fix=f"grant {call} to the user or role that runs doctor" if "denied" in look.why_not else "",
            )
            seen.setdefault((call, look.why_not), finding)
    return tuple(seen.values())


def _looks_in(value: object) -> Iterator[Look[Any]]:
    if isinstance(value, Look):
        yield value
        yield from _looks_in(value.value)
    elif isinstance(value, tuple):
        for each in value:
            yield from _looks_in(each)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _looks_in(getattr(value, field.name))


_CLIENT_NAMES = {"servicequotas": "service-quotas"}


def _client_name(call: str) -> str:
    service = call.partition(":")[0]
    return _CLIENT_NAMES.get(service, service)


def _why_not(call: str, code: str, message: str) -> str:
    if code in _NOT_OFFERED:
        return NOT_OFFERED
    if _DENIED.search(code):
        return f"denied: {message or call}"
    return f"{code}: {message}" if message else code
