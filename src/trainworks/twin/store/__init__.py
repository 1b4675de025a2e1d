"""SQLite, as the twin uses it: one file, one writer at a time, durable when `transaction` returns."""

from trainworks.twin.store.database import Database

__all__ = ["Database"]
