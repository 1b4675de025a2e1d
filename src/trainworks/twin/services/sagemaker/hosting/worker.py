"""Runs endpoints: asks `decide` what one needs next, does it, and asks again, until there is only waiting to do.

Whatever changes an endpoint (a request, a task event, a timer) wakes it. One endpoint is never worked on by two threads
at once. Every action is either one transaction or can be done twice with the same result, so a server that was
killed goes on where it stopped. After each action the gateway is told which containers answer now.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import TYPE_CHECKING

from trainworks.states.endpoint import EndpointStatus
from trainworks.twin.job_files import remove_tree
from trainworks.twin.ports import (
    Compute,
    ControlPlane,
    Gateway,
    ImageBeingMadeError,
    Served,
    ServedVariant,
    Target,
    TaskEvent,
)
from trainworks.twin.services.logship import LogShipper, LogSource
from trainworks.twin.services.sagemaker.failure_reasons import MAX_REASON
from trainworks.twin.services.sagemaker.hosting import decide as steps
from trainworks.twin.services.sagemaker.hosting.failures import HostingError, container_failure
from trainworks.twin.services.sagemaker.hosting.folders import endpoint_folder
from trainworks.twin.services.sagemaker.hosting.prepare import Preparer, pool_id_of
from trainworks.twin.services.sagemaker.hosting.records import TASK_PREFIX, Container, Endpoint, Variant
from trainworks.twin.services.sagemaker.hosting.store import Endpoints, Hosted
from trainworks.twin.services.sagemaker.schedule import LONG, Long, Schedule

if TYPE_CHECKING:
    from trainworks.twin.recorded import Rows

_LOG = logging.getLogger(__name__)
_S = EndpointStatus
_IMAGE_POLL_SECONDS = 3.0
_SHIPPED_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """What `Worker` works with besides the rows."""

    preparer: Preparer
    compute: Compute
    gateway: Gateway
    shipper: LogShipper
    control_plane: ControlPlane


class Worker:
    """Owns the life of endpoints between CreateEndpoint and their end."""

    def __init__(self, endpoints: Endpoints, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._endpoints = endpoints
        self._preparer = settings.preparer
        self._compute = settings.compute
        self._gateway = settings.gateway
        self._shipper = settings.shipper
        self._control_plane = settings.control_plane
        self._jobs_dir = settings.preparer.jobs_dir
        self._clock = clock
        self._schedule = Schedule("endpoint", self._carry_on, self._give_up, clock)
        self._compute.subscribe(TASK_PREFIX, self._on_events)

    def start(self) -> None:
        """Continue with every endpoint that an earlier run left. Those that served get requests again at once."""
        for arn in self._endpoints.all_arns():
            hosted = self._endpoints.look(arn)
            if hosted is not None:
                self._publish(hosted)
        self._schedule.start()
        for arn in self._endpoints.all_arns():
            self.wake(arn)

    def stop(self) -> None:
        """Finish the action that is in progress; containers go on, and the next start finds them."""
        self._schedule.stop()

    def wake(self, arn: str) -> None:
        """Look at this endpoint now."""
        self._schedule.wake(arn)

    def on_image_made(self, waiters: Collection[str]) -> None:
        """Look at the endpoints that waited for an image."""
        for waiter in waiters:
            if ":endpoint/" in waiter:
                self.wake(waiter)

    # -- one endpoint -----------------------------------------------------------------------------------------

    def _carry_on(self, arn: str, may_take_long: bool) -> float | Long | None:
        """Do all that can be done now; returns the time to look again at, None to wait for a wake-up."""
        return self._steps(arn) if may_take_long else LONG

    def _steps(self, arn: str) -> float | None:
        while not self._schedule.stopping:
            # Under the write lock: a listener wakes the endpoint before its transaction is committed.
            hosted = self._endpoints.recorded.change(lambda rows: self._endpoints.load(rows, arn))
            if hosted is None:
                self._gateway.publish(arn, None)
                return None
            self._publish(hosted)
            action = steps.decide(hosted.endpoint, hosted.variants, hosted.containers, self._clock())
            if isinstance(action, steps.Wait):
                return action.until
            try:
                until = self._do(action, hosted)
            except ImageBeingMadeError:
                return self._clock() + _IMAGE_POLL_SECONDS
            except HostingError as error:
                until = self._launch_failed(arn, error.reason)
            if until is not None:
                return until
        return self._clock()

    def _do(self, action: steps.Action, hosted: Hosted) -> float | None:
        """Do one action; returns the time to look again at, None if the next action may follow at once."""
        if isinstance(action, steps.Launch):
            self._launch(hosted.endpoint, action.variant, action.count)
        elif isinstance(action, steps.Look):
            return self._look(hosted, action)
        elif isinstance(action, steps.Switch):
            self._switch(hosted)
        elif isinstance(action, steps.Settle):
            self._settle(hosted.endpoint)
        elif isinstance(action, steps.GiveUp):
            log = endpoint_folder(self._jobs_dir, hosted.endpoint).of(action.container).log
            self._give_up(hosted.endpoint.arn, container_failure(action.container, log, is_late=action.is_late))
        elif isinstance(action, steps.Drain):
            self._drain(action.containers)
        elif isinstance(action, steps.Stop):
            self._stop(action.containers)
        elif isinstance(action, steps.Forget):
            return self._forget(hosted, action)
        elif isinstance(action, steps.Remove):
            return self._remove(hosted)
        return None

    def _launch(self, endpoint: Endpoint, variant: Variant, count: int) -> None:
        launch = self._preparer.prepare(endpoint, variant, count)

        def work(rows: Rows, hosted: Hosted) -> None:
            there = sum(each.is_meant for each in hosted.containers if each.key == variant.key)
            current = next((each for each in hosted.variants if each.key == variant.key), None)
            if variant.fleet not in hosted.endpoint.fleets or current is None or there + count > current.count:
                return  # it was deleted, or its count reduced, while this was prepared
            self._compute.create_pool(rows.tx, launch.pool)
            task_ids = [task.task_id for task in launch.tasks]
            self._endpoints.put_containers(rows.tx, variant, task_ids, self._clock())
            self._compute.submit(rows.tx, launch.tasks)

        self._endpoints.change(endpoint.arn, work)

    def _launch_failed(self, arn: str, reason: str) -> float | None:
        """A fleet that is being started fails; one that serves goes on as it is, and tries the launch again later."""
        hosted = self._endpoints.look(arn)
        if hosted is not None and not (hosted.endpoint.next_fleet or hosted.endpoint.scaling_since):
            _LOG.warning("an instance of %s cannot be replaced: %s", arn, reason)
            return self._clock() + 30.0
        self._give_up(arn, reason)
        return None

    def _look(self, hosted: Hosted, action: steps.Look) -> float | None:
        folder = endpoint_folder(self._jobs_dir, hosted.endpoint)
        ready = [each for each in action.starting if self._gateway.is_ready(folder.of(each).door)]
        calm = [each for each in action.draining if not self._gateway.in_flight(each.task_id)]
        if ready:
            with self._endpoints.database.transaction() as tx:
                for each in ready:
                    self._endpoints.serve(tx, each.task_id)
        if calm:
            self._stop(calm)
        return None if ready or calm else self._clock() + steps.LOOK_SECONDS

    def _switch(self, hosted: Hosted) -> None:
        def work(rows: Rows, now: Hosted) -> None:
            if now.endpoint.next_fleet != hosted.endpoint.next_fleet or now.endpoint.status is _S.DELETING:
                return
            names = {"EndpointConfigName": now.record.spec["NextConfigName"], "NextConfigName": None}
            self._endpoints.update(
                rows,
                now.record,
                _S.IN_SERVICE,
                Fleet=now.endpoint.next_fleet,
                NextFleet=0,
                FailureReason=None,
                **names,
            )

        self._endpoints.change(hosted.endpoint.arn, work)

    def _settle(self, endpoint: Endpoint) -> None:
        def work(rows: Rows, now: Hosted) -> None:
            if now.endpoint.scaling_since == endpoint.scaling_since and now.endpoint.status is _S.UPDATING:
                self._endpoints.update(
                    rows, now.record, _S.IN_SERVICE, ScalingSince=None, Before=None, FailureReason=None
                )

        self._endpoints.change(endpoint.arn, work)

    def _give_up(self, arn: str, reason: str) -> None:
        """Abandon what is being started: an endpoint that serves stays as it was, a new one has failed."""

        def work(rows: Rows, now: Hosted) -> None:
            if not now.endpoint.next_fleet and not now.endpoint.scaling_since:
                return
            status = _S.FAILED if now.endpoint.status is _S.CREATING else _S.IN_SERVICE
            for variant in now.of_fleet(now.endpoint.fleet):
                before = now.record.spec.get("Before", {}).get(variant.name)
                if before is not None:
                    self._endpoints.scale(rows.tx, variant, before["Count"], before["Weight"])
            gone = dict.fromkeys(("NextConfigName", "ScalingSince", "Before"))
            self._endpoints.update(rows, now.record, status, NextFleet=0, FailureReason=reason[:MAX_REASON], **gone)

        self._endpoints.change(arn, work)

    def _drain(self, containers: Sequence[Container]) -> None:
        with self._endpoints.database.transaction() as tx:
            self._endpoints.drain(tx, [each.task_id for each in containers], self._clock())

    def _stop(self, containers: Sequence[Container]) -> None:
        task_ids = [each.task_id for each in containers]
        self._compute.stop(task_ids)
        with self._endpoints.database.transaction() as tx:
            self._endpoints.note_stop(tx, task_ids)

    def _forget(self, hosted: Hosted, action: steps.Forget) -> float | None:
        if not self._are_shipped(action.containers):
            return self._clock() + _SHIPPED_POLL_SECONDS
        folder = endpoint_folder(self._jobs_dir, hosted.endpoint)
        for each in action.containers:
            remove_tree(folder.of(each).path)
        if action.fleet:
            for variant in hosted.of_fleet(action.fleet):
                self._end_variant(hosted.endpoint, variant)
            remove_tree(folder.fleet(action.fleet))
        with self._endpoints.database.transaction() as tx:
            self._endpoints.forget(tx, [each.task_id for each in action.containers])
            if action.fleet:
                self._endpoints.forget_fleet(tx, hosted.endpoint.arn, action.fleet)
        return None

    def _remove(self, hosted: Hosted) -> float | None:
        if not self._are_shipped(hosted.containers):
            return self._clock() + _SHIPPED_POLL_SECONDS
        for variant in hosted.variants:
            self._end_variant(hosted.endpoint, variant)
        remove_tree(endpoint_folder(self._jobs_dir, hosted.endpoint).path)

        def work(rows: Rows, now: Hosted) -> None:
            self._endpoints.forget(rows.tx, [each.task_id for each in now.containers])
            for fleet in {each.fleet for each in now.variants}:
                self._endpoints.forget_fleet(rows.tx, now.endpoint.arn, fleet)
            rows.delete(now.record)

        self._endpoints.change(hosted.endpoint.arn, work)
        return None

    def _end_variant(self, endpoint: Endpoint, variant: Variant) -> None:
        """Clean up after a variant: no container of it is left, and all their output is in Logs."""
        self._compute.delete_pool(pool_id_of(endpoint, variant))
        self._control_plane.end_session(variant.credentials.access_key_id)

    def _are_shipped(self, containers: Sequence[Container]) -> bool:
        return all(self._shipper.is_shipped(each.task_id) for each in containers)

    # -- the gateway ------------------------------------------------------------------------------------------

    def _publish(self, hosted: Hosted) -> None:
        self._gateway.publish(hosted.endpoint.arn, served(hosted, self._preparer))

    # -- task events ------------------------------------------------------------------------------------------

    def _on_events(self, tx: Connection, events: Sequence[TaskEvent]) -> None:
        changed = self._endpoints.apply_events(tx, events)
        for event in events:
            if event.instance_id is not None and not event.state.is_end:
                self._follow(tx, event)
        self._shipper.finish(tx, [event.task_id for event in events if event.state.is_end])
        for arn in changed:
            self.wake(arn)

    def _follow(self, tx: Connection, event: TaskEvent) -> None:
        """The container's log goes to `VARIANT/INSTANCE`, as its instance is known now."""
        found = self._endpoints.whose(tx, event.task_id)
        if found is None:
            return
        endpoint, variant, container = found
        log = endpoint_folder(self._jobs_dir, endpoint).of(container).log
        stream = f"{variant.name}/{event.instance_id}"
        self._shipper.follow(tx, [LogSource(event.task_id, log, endpoint.log_group, stream, variant.role)])


def served(hosted: Hosted, preparer: Preparer) -> Served | None:
    """What answers for an endpoint: each variant of the fleet that serves, with the containers that take requests."""
    endpoint = hosted.endpoint
    if not endpoint.fleet or endpoint.status is _S.DELETING:
        return None
    folder = endpoint_folder(preparer.jobs_dir, endpoint)
    variants = tuple(
        ServedVariant(
            variant.name,
            variant.weight,
            tuple(
                Target(each.task_id, folder.of(each).door)
                for each in hosted.containers
                if each.key == variant.key and each.takes_requests
            ),
        )
        for variant in hosted.of_fleet(endpoint.fleet)
    )
    return Served(endpoint.name, endpoint.log_group, variants)
