"""One invocation of an endpoint, on the event loop: no thread, no emulator.

permission -> a container by variant and load -> a connection to it -> the answer
              ^ again with another container, if a connection breaks before a byte of the answer has come
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainworks.twin.ports import ApiError, Caller, ControlPlane, Invocations, Served, Target
from trainworks.twin.serving import doors
from trainworks.twin.serving.messages import (
    PREFIX,
    Invocation,
    ModelError,
    answer_headers,
    endpoint_name,
    error_answer,
    invalid,
    invocation_of,
)
from trainworks.twin.serving.routing import NoSuchVariantError, Routing
from trainworks.twin.serving.tally import Tally
from trainworks.twin.serving.upstream import Answer, BrokenError, MalformedError, Upstreams

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ContextOf = Callable[[str], Mapping[str, str | Sequence[str]]]

_INVOCATION_SECONDS = 60.0
_MOST_CONTAINERS = 2
"""A request is given to at most this many containers that break the connection: it may be what ends them."""
_SHOWN_BYTES = 1024


@dataclass(slots=True)
class _Trip:
    """When a request came, was given to its last container and answered: seconds of the loop's clock, 0 for not yet."""

    began: float
    variant: str = ""
    instances: int = 0
    sent: float = 0.0
    answered: float = 0.0
    status: int = 0


class Gateway:
    """See `ports.Gateway`. `context_of` gives the condition keys of an endpoint: its tags."""

    def __init__(
        self, control_plane: ControlPlane, context_of: ContextOf, invocation_seconds: float = _INVOCATION_SECONDS
    ) -> None:
        self._control_plane = control_plane
        self._context_of = context_of
        self._invocation_seconds = invocation_seconds
        self._routing = Routing()
        self._upstreams = Upstreams()
        self._tally = Tally()
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- ports.Gateway ----------------------------------------------------------------------------------------

    def publish(self, endpoint_arn: str, served: Served | None) -> None:
        self._routing.publish(endpoint_arn, served)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._forget_connections)

    def in_flight(self, task_id: str) -> int:
        return self._routing.in_flight(task_id)

    def taken_invocations(self) -> Sequence[Invocations]:
        return self._tally.take()

    def is_ready(self, door: Path) -> bool:
        return doors.is_ready(door)

    # -- the front's side -------------------------------------------------------------------------------------

    def wants(self, method: str, path: str) -> bool:
        """Whether this request of SageMaker's is one of sagemaker-runtime."""
        return method == "POST" and path.startswith(PREFIX)

    async def invoke(self, path: str, headers: Mapping[str, str], body: bytes, caller: Caller, send: Send) -> None:
        """Answer one signed request; `path` is as it was sent, header names are in lower case."""
        loop = self._loop = asyncio.get_running_loop()
        trip = _Trip(loop.time())
        served: Served | None = None
        try:
            name = endpoint_name(path)
            arn = f"arn:aws:sagemaker:{caller.region}:{caller.account_id}:endpoint/{name.lower()}"
            self._authorize(caller, arn)
            invocation = invocation_of(headers, body)
            served = self._routing.served(arn)
            if served is None:
                raise invalid(f"Endpoint {name} of account {caller.account_id} not found.")
            variant, answer = await self._answered(arn, name, invocation, trip)
            trip.answered, trip.status = loop.time(), answer.status
            status, pairs, content = 200, answer_headers(answer, variant), answer.body
        except ApiError as error:
            status, pairs, content = error_answer(error.code, error.status, {"Message": error.message})
        except ModelError as error:
            trip.answered, trip.status = loop.time(), error.status
            log_group = served.log_group if served is not None else ""
            document = error.document(caller.region, caller.account_id, log_group)
            status, pairs, content = error_answer("ModelError", 424, document)
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": content})
        if trip.variant and trip.answered and served is not None:
            model = trip.answered - trip.sent
            overhead = loop.time() - trip.began - model
            self._tally.note(arn, served.name, trip.variant, trip.instances, trip.status, model, overhead)

    def _authorize(self, caller: Caller, arn: str) -> None:
        if caller.is_root:
            return
        self._control_plane.authorize(caller, "sagemaker:InvokeEndpoint", arn, self._context_of(arn))

    async def _answered(self, arn: str, name: str, invocation: Invocation, trip: _Trip) -> tuple[str, Answer]:
        """The variant that answered, and a good answer. Raises `ApiError`, `ModelError`."""
        deadline = trip.began + self._invocation_seconds
        try:
            variant, answer = await self._forwarded(arn, name, invocation, deadline, trip)
        except TimeoutError:
            raise ModelError(
                0,
                "Your invocation timed out while waiting for a response from container primary. Review the latency "
                "metrics for each container in Amazon CloudWatch, resolve the issue, and try again.",
            ) from None
        if not 200 <= answer.status < 300:
            raise ModelError(answer.status, answer.body[:_SHOWN_BYTES].decode("utf-8", "replace"))
        return variant, answer

    async def _forwarded(
        self, arn: str, name: str, invocation: Invocation, deadline: float, trip: _Trip
    ) -> tuple[str, Answer]:
        request = invocation.as_http()
        broken: set[str] = set()
        closed: set[str] = set()
        while len(broken) < _MOST_CONTAINERS:
            try:
                with self._routing.choose(arn, invocation.variant, broken | closed) as chosen:
                    if chosen is None:
                        break
                    variant, target = chosen
                    trip.variant, trip.instances = variant.name, len(variant.targets)
                    trip.sent = asyncio.get_running_loop().time()
                    try:
                        return variant.name, await self._exchanged(target, request, deadline)
                    except doors.ClosedError:
                        closed.add(target.task_id)
                    except BrokenError:
                        broken.add(target.task_id)
            except NoSuchVariantError:
                raise invalid(f"Variant {invocation.variant} of endpoint {name} not found.") from None
            except MalformedError as error:
                raise ModelError(0, str(error)) from error
        if broken:
            raise ModelError(0, "The container ended, or closed the connection, before it answered.")
        raise ApiError("ServiceUnavailable", f"No instance of endpoint {name} takes requests at this moment.", 503)

    async def _exchanged(self, target: Target, request: bytes, deadline: float) -> Answer:
        """Over a kept connection, or over a new one if there is none or it has just ended."""
        while True:
            upstream = self._upstreams.idle(target)
            if upstream is None:
                async with asyncio.timeout_at(deadline):
                    upstream = await self._upstreams.new(target)
            is_kept = upstream.is_used
            try:
                answer = await upstream.exchange(request, deadline)
            except BrokenError:
                if not is_kept:
                    raise
                self._upstreams.forget(target.task_id)
                continue
            self._upstreams.keep(target, upstream, is_wanted=target.task_id in self._routing.published)
            return answer

    def _forget_connections(self) -> None:
        self._upstreams.forget_all_but(self._routing.published)
