"""Versions and images: parts of a record with rows of their own that ministack changes in place, with nobody's notice.

Where a record's row is looked at, each of these is, and what differs from what is on disk is written: one version that
is published writes one row, however many there are.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from trainworks.twin.emulator.durable.change_tracking import ChangeTracker, Row, TouchedDict
from trainworks.twin.emulator.durable.growing_lists import ListMember, WholeList
from trainworks.twin.emulator.durable.parts import Read, RecordParts


def _all_rows(stores: tuple[TouchedDict, ...]) -> Iterator[Row]:
    for store in stores:
        yield from ((store, key) for key in {*store.held(), *list(store.written)})


class ChangedMember(ListMember):
    """Records with a member that is a list of such parts."""

    def __init__(self, tracker: ChangeTracker, read: Read, member: str, kind: str, *, blobs: bool = False) -> None:
        super().__init__(tracker, read, member, kind)
        self._blobs = blobs

    def stores_of(self, record: Any) -> tuple[TouchedDict, ...]:
        stores = super().stores_of(record)
        for store in stores:
            store.blobs = self._blobs
        return stores

    def beside(self, key: Any) -> Iterator[Row]:
        return _all_rows(self._stores.get(key, ()))


class ChangedList(WholeList):
    """Records that are a list of such parts."""

    def beside(self, key: Any) -> Iterator[Row]:
        return _all_rows(self._stores.get(key, ()))


class _Named(TouchedDict):
    """Parts by name, of one record."""

    __slots__ = ("record_id",)

    def __init__(self, tracker: ChangeTracker, kind: str, record_id: str) -> None:
        super().__init__(tracker, f"{kind}/{record_id}")
        self.record_id = record_id
        self.blobs = True


class ChangedNames(RecordParts):
    """Records with a member that is a dictionary of such parts, with archives in them."""

    def __init__(self, tracker: ChangeTracker, read: Read, member: str, kind: str) -> None:
        super().__init__(tracker, read)
        self._member = member
        self._kind = kind

    def dressed(self, record: Any) -> Any:
        parts = record.get(self._member) or {}
        if not isinstance(parts, _Named):
            known = parts.get("id") if isinstance(parts.get("id"), str) else None
            named = _Named(self.tracker, self._kind, known or uuid.uuid4().hex)
            if known is None:
                dict.update(named, parts)
            record[self._member] = named
        return record

    def stores_of(self, record: Any) -> tuple[TouchedDict, ...]:
        return (record[self._member],)

    def row(self, record: Any) -> Any:
        return record | {self._member: {"id": record[self._member].record_id}}

    def is_plain(self, record: Any) -> bool:
        parts = record.get(self._member) or {}
        return not isinstance(parts, _Named) and not isinstance(parts.get("id", {}), str) and bool(parts)

    def returned(self, key: Any, row: Any, current: Any) -> Any:
        if current is None:
            return self._load(key, row)
        return self._attached(key, row | {self._member: current[self._member]})

    def beside(self, key: Any) -> Iterator[Row]:
        return _all_rows(self._stores.get(key, ()))


class ChangedParts:
    """Puts them in place in a service that was loaded, before anything else looks into its stores."""

    def __init__(self, tracker: ChangeTracker, read: Read) -> None:
        self._kept = (tracker, read)

    def install_functions(self, lambda_svc: Any) -> None:
        ChangedNames(*self._kept, "versions", "lambda_svc.versions").keep(lambda_svc._functions._data)
        layers = ChangedMember(*self._kept, "versions", "lambda_svc.layer_versions", blobs=True)
        layers.keep(lambda_svc._layers._data)

    def install_images(self, ecr: Any) -> None:
        ChangedList(*self._kept, "ecr.images").keep(ecr._images._data)

    def install_templates(self, ec2: Any) -> None:
        ChangedMember(*self._kept, "Versions", "ec2.template_versions").keep(ec2._launch_templates._data)
