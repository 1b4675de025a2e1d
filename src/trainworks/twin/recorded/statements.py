"""The SQL of the store."""

from __future__ import annotations

from trainworks.twin.store.queries import load_queries, load_sql

_PACKAGE = "trainworks.twin.recorded"
SQL = load_queries(_PACKAGE)
SCHEMA = load_sql(_PACKAGE, "schema.sql")
