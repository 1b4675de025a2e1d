"""Sessions of roles: used again while they are fresh, and a bounded number of them."""

from __future__ import annotations

import time

from trainworks.twin.emulator.iam.role_client import _MOST_SESSIONS, RoleSessions
from trainworks.twin.ports import Caller, Credentials


def test_a_session_is_used_again_while_it_is_fresh_and_the_oldest_is_forgotten() -> None:
    made: list[str] = []
    lasting = {"seconds": 3600}

    def assume(role_arn: str, principal: str, name: str, seconds: int, source_arn: str) -> Credentials:
        made.append(source_arn)
        assert len(name) <= 64
        caller = Caller(role_arn, "000000000000", "us-east-1", "ASIA")
        return Credentials("ASIA", "secret", "token", time.time() + lasting["seconds"], caller)

    sessions = RoleSessions(assume, "http://127.0.0.1:1", {})
    for number in range(_MOST_SESSIONS + 10):
        sessions.session("role", "principal", f"source-{number}", "n" * 100)
    assert len(sessions._sessions) == _MOST_SESSIONS
    del made[:]
    sessions.session("role", "principal", "source-500", "n")
    assert made == []
    sessions.session("role", "principal", "source-0", "n")
    assert made == ["source-0"]
    lasting["seconds"] = 60
    sessions.session("other", "principal", "source", "n")
    sessions.session("other", "principal", "source", "n")
    assert made[1:] == ["source", "source"]
