"""What an endpoint needs next, from its record, its variants and its containers: a pure function.

    Creating   launch the fleet -> ping -> all answer: Switch            a container ends or is late: GiveUp, Failed
    InService  a container that has ended is launched again; one too many is drained
    Updating   the next fleet as in Creating, while the old one serves -> Switch; the old one is drained, then stopped
               other counts or weights: launch or drain -> Settle
    Deleting   stop all -> Remove

A container gets no requests before it has answered /ping, and none after it began to drain; it is stopped when the
requests that it had are answered, or after `DRAIN_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainworks.states.endpoint import EndpointStatus
from trainworks.twin.ports import TaskState
from trainworks.twin.services.sagemaker.hosting.records import Container, Endpoint, Phase, Variant

LOOK_SECONDS = 0.025
DRAIN_SECONDS = 75.0
"""Longer than any invocation may take."""
_LONGEST_PAUSE_SECONDS = 60.0
_REMEMBERED_SECONDS = 600.0
STOP_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Wait:
    """There is nothing to do before `until`, in seconds since the epoch (None: before an event)."""

    until: float | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a number of further containers of a variant."""

    variant: Variant
    count: int


@dataclass(frozen=True, slots=True)
class Look:
    """Ask the `starting` containers whether they are ready, and stop those `draining` that have no request left; if
    none is ready or stopped, do it again after `LOOK_SECONDS`."""

    starting: tuple[Container, ...]
    draining: tuple[Container, ...]


@dataclass(frozen=True, slots=True)
class Switch:
    """The next fleet answers: it serves from now on."""


@dataclass(frozen=True, slots=True)
class Settle:
    """The fleet that serves has reached the counts that are wanted."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The next fleet, or what is added to the fleet that serves, cannot start, because of this container; `is_late`: it
    did not answer in time."""

    container: Container
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Drain:
    """Give these containers no more requests."""

    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """End these containers now."""

    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing is left to do for these containers, which have ended: remove them. With a `fleet`, that as well."""

    containers: tuple[Container, ...]
    fleet: int = 0


@dataclass(frozen=True, slots=True)
class Remove:
    """All of a deleted endpoint has ended: remove it."""


Action = Wait | Launch | Look | Switch | Settle | GiveUp | Drain | Stop | Forget | Remove


def decide(endpoint: Endpoint, variants: Sequence[Variant], containers: Sequence[Container], now: float) -> Action:
    """The next action."""
    live = [each for each in containers if not each.has_ended]
    if endpoint.status is EndpointStatus.DELETING:
        return _deletion(live)
    wanted = {each.key: each for each in variants if each.fleet in endpoint.fleets}
    return (
        _failure(endpoint, wanted, containers, now)
        or _excess(wanted, live)
        or _forgotten(endpoint, variants, containers, now)
        or _missing(wanted, containers, now)
        or _lateness(wanted, live, now)
        or _readiness(endpoint, wanted, live)
        or _overdue(live, now)
        or _looks(wanted, live)
        or Wait(_next_look(wanted, containers, now))
    )


def _deletion(live: Sequence[Container]) -> Action:
    left = tuple(each for each in live if not each.stop_sent)
    if left:
        return Stop(left)
    return Wait() if live else Remove()


def _failure(
    endpoint: Endpoint, wanted: Mapping[tuple[int, str], Variant], containers: Sequence[Container], now: float
) -> Action | None:
    """Give up if a container that is being started, for the next fleet or in addition to this one, ends or is late."""
    for each in containers:
        if not _is_brought_up(endpoint, each) or each.phase is Phase.DRAINING or each.key not in wanted:
            continue
        if each.has_ended:
            return GiveUp(each)
        if _is_late(wanted[each.key], each, now):
            return GiveUp(each, is_late=True)
    return None


def _is_brought_up(endpoint: Endpoint, container: Container) -> bool:
    if endpoint.next_fleet:
        return container.fleet == endpoint.next_fleet
    is_new = bool(endpoint.scaling_since) and container.created_at >= endpoint.scaling_since
    return is_new and container.fleet == endpoint.fleet and not container.has_served


def _is_late(variant: Variant, container: Container, now: float) -> bool:
    started = container.started_at
    return container.phase is Phase.STARTING and started is not None and now >= started + variant.startup_seconds


def _excess(wanted: Mapping[tuple[int, str], Variant], live: Sequence[Container]) -> Action | None:
    """Remove containers of fleets that are not wanted, and those beyond the count of their variant, newest first."""
    left = {key: each.count for key, each in wanted.items()}
    surplus = []
    for container in sorted(live, key=lambda each: (each.phase is not Phase.SERVING, each.created_at)):
        if not container.is_meant:
            continue
        if left.get(container.key, 0) > 0:
            left[container.key] -= 1
        else:
            surplus.append(container)
    return Drain(tuple(surplus)) if surplus else None


def _forgotten(
    endpoint: Endpoint, variants: Sequence[Variant], containers: Sequence[Container], now: float
) -> Action | None:
    for fleet in sorted({each.fleet for each in variants} - set(endpoint.fleets)):
        of_fleet = tuple(each for each in containers if each.fleet == fleet)
        if all(each.has_ended for each in of_fleet):
            return Forget(of_fleet, fleet)
    old = tuple(each for each in containers if each.ended_at is not None and now >= each.ended_at + _REMEMBERED_SECONDS)
    return Forget(old) if old else None


def _missing(wanted: Mapping[tuple[int, str], Variant], containers: Sequence[Container], now: float) -> Action | None:
    for key, variant in wanted.items():
        there = sum(each.is_meant for each in containers if each.key == key)
        if there < variant.count and now >= _launch_at(key, containers):
            return Launch(variant, variant.count - there)
    return None


def _launch_at(key: tuple[int, str], containers: Sequence[Container]) -> float:
    """When a container that ended may be launched again: at once, or the later the more ended without a good answer."""
    ended = [each for each in containers if each.key == key and each.ended_at is not None and not each.stop_sent]
    useless = sum(not each.has_served for each in ended)
    if not useless:
        return 0.0
    return max(each.ended_at or 0.0 for each in ended) + min(2.0**useless, _LONGEST_PAUSE_SECONDS)


def _lateness(wanted: Mapping[tuple[int, str], Variant], live: Sequence[Container], now: float) -> Action | None:
    """In the fleet that serves, a container that was launched again and does not answer in time is replaced."""
    late = tuple(
        each for each in live if not each.stop_sent and each.key in wanted and _is_late(wanted[each.key], each, now)
    )
    return Stop(late) if late else None


def _readiness(
    endpoint: Endpoint, wanted: Mapping[tuple[int, str], Variant], live: Sequence[Container]
) -> Action | None:
    fleet = endpoint.next_fleet or (endpoint.fleet if endpoint.scaling_since else 0)
    if not fleet:
        return None
    for key, variant in wanted.items():
        if key[0] == fleet and variant.count > sum(each.takes_requests for each in live if each.key == key):
            return None
    return Switch() if endpoint.next_fleet else Settle()


def _overdue(live: Sequence[Container], now: float) -> Action | None:
    over = tuple(
        each
        for each in live
        if each.phase is Phase.DRAINING
        and not each.stop_sent
        and (not each.has_served or now >= (each.drained_at or 0.0) + DRAIN_SECONDS)
    )
    return Stop(over) if over else None


def _looks(wanted: Mapping[tuple[int, str], Variant], live: Sequence[Container]) -> Action | None:
    asked = [each for each in live if not each.stop_sent]
    draining = tuple(each for each in asked if each.phase is Phase.DRAINING)
    starting = tuple(
        each
        for each in asked
        if each.phase is Phase.STARTING and each.state is TaskState.RUNNING and each.key in wanted
    )
    return Look(starting, draining) if starting or draining else None


def _next_look(wanted: Mapping[tuple[int, str], Variant], containers: Sequence[Container], now: float) -> float | None:
    moments = [each.ended_at + _REMEMBERED_SECONDS for each in containers if each.ended_at is not None]
    for key, variant in wanted.items():
        if sum(each.is_meant for each in containers if each.key == key) < variant.count:
            moments.append(_launch_at(key, containers))
    return min((each for each in moments if each > now), default=None)
