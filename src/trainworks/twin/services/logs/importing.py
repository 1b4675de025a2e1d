"""Takes over the log groups of a home that an earlier version wrote, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from trainworks.twin.services.logs.filters import METRIC, SUBSCRIPTION
from trainworks.twin.services.logs.store import LogStore


class EarlierGroup(Protocol):
    """A group as the earlier version kept it; `record` and filters in the words of the API."""

    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def record(self) -> Mapping[str, Any]: ...
    @property
    def metric_filters(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def streams(self) -> Sequence[str]: ...
    def events(self, stream: str) -> Iterator[Sequence[tuple[int, str]]]: ...


def take_over(store: LogStore, group: EarlierGroup) -> None:
    """Make the same group with its streams, events and filters. Done twice after a crash, it starts the group again."""
    scope = (group.account, group.region)
    half_done = store.group(scope, group.name)
    if half_done is not None:
        store.delete_group(half_done)
    store.create_group(
        scope,
        group.name,
        tags=group.record.get("tags") or {},
        kms_key=group.record.get("kmsKeyId"),
        **{"class": group.record.get("logGroupClass") or "STANDARD"},
    )
    row = store.group(scope, group.name)
    if row is None:
        return
    if group.record.get("retentionInDays"):
        store.change_group(row, "set_retention", group.record["retentionInDays"])
    for name in group.streams:
        store.create_stream(row, name)
        stream = store.stream(row, name)
        for events in group.events(name):
            if stream is not None:
                store.put_events(row, stream, sorted(events, key=lambda event: event[0]))
    for each in group.metric_filters:
        spec = {name: each[name] for name in ("filterPattern", "metricTransformations")}
        store.put_filter(row, METRIC, each["filterName"], spec, each.get("creationTime", store.now_ms()))
    for each in (group.record.get("subscriptionFilters") or {}).values():
        kept = ("filterPattern", "destinationArn", "distribution", "roleArn")
        spec = {name: each[name] for name in kept if each.get(name)} | {"filterPattern": each.get("filterPattern", "")}
        store.put_filter(row, SUBSCRIPTION, each["filterName"], spec, each.get("creationTime", store.now_ms()))
