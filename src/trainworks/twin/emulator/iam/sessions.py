"""Role sessions end by themselves, at a cost that does not grow with how many there are.

Stock looks at every session whenever one is made, which marks every row as touched. Here the next one to end is known.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import Any


def install(sts: Any, clock: Callable[[], float] = time.time) -> None:
    """STS was loaded, and its sessions are back from disk."""
    ends = [(_end(session), key) for key, session in dict.items(sts._sessions)]
    heapq.heapify(ends)

    def evict_expired_sessions() -> None:
        while ends and ends[0][0] < clock():
            _, key = heapq.heappop(ends)
            session = dict.get(sts._sessions, key)
            if session is not None and _end(session) < clock():
                sts._sessions.pop(key, None)

    def register_session(access_key: str, session: dict[str, Any]) -> None:
        evict_expired_sessions()
        session.setdefault("IssuedAt", clock())
        sts._sessions[access_key] = session
        if _end(session) < float("inf"):
            heapq.heappush(ends, (_end(session), access_key))

    sts._evict_expired_sessions = evict_expired_sessions
    sts.register_session = register_session


def _end(session: dict[str, Any]) -> float:
    expiration = session.get("Expiration")
    return float(expiration) if isinstance(expiration, int | float) else float("inf")
