"""Which containers answer for an endpoint, and how many requests each has. Asked on the loop, changed by any thread."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from trainworks.twin.ports import Served, ServedVariant, Target


class NoSuchVariantError(LookupError):
    """The endpoint has no variant of this name."""


class Routing:
    """`choose` holds a place at a container for one request: it counts as in flight from the choice on."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()  # noqa: S311 - a share of requests is no secret
        self._served: dict[str, Served] = {}
        self._published: frozenset[str] = frozenset()
        self._in_flight: Counter[str] = Counter()
        # A container has no requests left only once nobody can choose it any more.
        self._lock = threading.Lock()

    def publish(self, endpoint_arn: str, served: Served | None) -> None:
        with self._lock:
            if served is None:
                self._served.pop(endpoint_arn, None)
            else:
                self._served[endpoint_arn] = served
            self._published = frozenset(
                target.task_id
                for each in self._served.values()
                for variant in each.variants
                for target in variant.targets
            )

    def served(self, endpoint_arn: str) -> Served | None:
        return self._served.get(endpoint_arn)

    def in_flight(self, task_id: str) -> int:
        with self._lock:
            return self._in_flight[task_id]

    @property
    def published(self) -> frozenset[str]:
        """Every container that gets requests."""
        return self._published

    @contextmanager
    def choose(
        self, endpoint_arn: str, variant: str, without: Collection[str]
    ) -> Iterator[tuple[ServedVariant, Target] | None]:
        """A container for one request, held within the block: of `variant`, or if that is "" of any, by weight.

        None if every container is in `without`. Raises `NoSuchVariantError`.
        """
        with self._lock:
            chosen = self._chosen(endpoint_arn, variant, without)
            if chosen is not None:
                self._in_flight[chosen[1].task_id] += 1
        try:
            yield chosen
        finally:
            if chosen is not None:
                self._leave(chosen[1].task_id)

    def _leave(self, task_id: str) -> None:
        with self._lock:
            self._in_flight[task_id] -= 1
            if not self._in_flight[task_id]:
                del self._in_flight[task_id]

    def _chosen(self, endpoint_arn: str, name: str, without: Collection[str]) -> tuple[ServedVariant, Target] | None:
        served = self._served.get(endpoint_arn)
        if served is None:
            return None
        variants = served.variants
        if name:
            variants = tuple(each for each in variants if each.name == name)
            if not variants:
                raise NoSuchVariantError(name)
        open_to = [
            (each, targets)
            for each in variants
            if (each.weight > 0 or name)
            and (targets := [target for target in each.targets if target.task_id not in without])
        ]
        if not open_to:
            return None
        variant, targets = open_to[0]
        if len(open_to) > 1:
            ((variant, targets),) = self._chance.choices(open_to, [each.weight for each, _ in open_to])
        if len(targets) == 1:
            return variant, targets[0]
        least = min(self._in_flight[each.task_id] for each in targets)
        return variant, self._chance.choice([each for each in targets if self._in_flight[each.task_id] == least])
