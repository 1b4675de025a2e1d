"""What is stored and described, and the tags of all that has any: one store, in `twin.db`.

    store.change(work)     `work(rows)` reads, checks and writes in one transaction; on disk when it returns
    store.look()           `with ... as rows`: several reads of one committed state

There is no other way to a row, so no decision rests on what another request has changed meanwhile.
"""

from trainworks.twin.recorded.listing import ListQuery, list_page
from trainworks.twin.recorded.rows import Record, Rows
from trainworks.twin.recorded.store import RecordedStore

__all__ = ["ListQuery", "Record", "RecordedStore", "Rows", "list_page"]
