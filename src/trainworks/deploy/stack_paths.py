"""Which nested stack an event belongs to, learnt from the events of its parents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from trainworks.assembly.places import StackPath
from trainworks.deploy.events import StackEvent


@dataclass(slots=True)
class StackPaths:
    """Learns from events which nested stack lies where: `stack_path(stack_id)` once its parent's event was seen."""

    root_stack_id: str
    _known: dict[str, StackPath] = field(default_factory=dict)

    def learn(self, events: Iterable[StackEvent]) -> None:
        for event in events:
            if event.nested_stack_id:
                self._known[event.nested_stack_id] = (*self.stack_path(event.stack_id), event.logical_id)

    def stack_path(self, stack_id: str) -> StackPath:
        return self._known.get(stack_id, ())
