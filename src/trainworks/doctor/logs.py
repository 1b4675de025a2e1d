"""A job's log: whether there is one, and how it ends. A stream that is missing often hides the real reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainworks.doctor.finding import Finding, Outcome
from trainworks.doctor.looking import Look, Looker

LAST_LINES = 8
_MISSING = ("ResourceNotFound",)


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The group's look is absent if there is no such group, `last_lines` if no stream has the prefix.

    `last_lines` are those of the newest stream, oldest first; empty if nothing was written to it.
    """

    group: str
    stream_prefix: str
    group_found: Look[str]
    last_lines: Look[tuple[str, ...]]


def look_at_log(looker: Looker, group: str, stream_prefix: str) -> LogFacts:
    """Ask CloudWatch Logs for a group and the last lines of the newest stream that begins with a prefix."""
    return LogFacts(
        group,
        stream_prefix,
        looker.ask("logs:DescribeLogGroups", lambda logs: _group(logs, group), absent=_MISSING, subject=group),
        looker.ask(
            "logs:GetLogEvents",
            lambda logs: _last_lines(logs, group, stream_prefix),
            absent=_MISSING,
            subject=f"{group} {stream_prefix}*",
        ),
    )


def missing_log_findings(facts: LogFacts | None, *, used_by: str) -> Iterator[Finding]:
    """The log that ought to be there is not: what the job said, if anything, can be read nowhere."""
    if facts is None or not facts.last_lines.is_absent:
        return
    if facts.group_found.is_absent:
        yield Finding(
            "log-group-missing",
            Outcome.WARNING,
            f"{used_by} has no log: nothing was ever written to {facts.group}, which does not exist, "
            "so the reason is in its status and not in a log",
            (facts.group_found.evidence("no such log group"),),
            # Groups below /aws/ are made by the service when it first writes; others belong to a stack.
            ""
            if facts.group.startswith("/aws/")
            else "deploy the platform again (trainworks up): the log group is part of it",
        )
    elif facts.last_lines.is_absent:
        yield Finding(
            "log-stream-missing",
            Outcome.WARNING,
            f"{used_by} has no log stream {facts.stream_prefix}* in {facts.group}: its container never wrote a line, "
            "so the reason is in its status and not in a log",
            (facts.last_lines.evidence("no such log stream"),),
            "read the causes above; if the container did run, its role or the endpoint for logs may be missing",
        )


def shown_tail(facts: LogFacts | None) -> str:
    """The last lines as one text, empty if there are none."""
    return "" if facts is None or not facts.last_lines.value else "\n".join(facts.last_lines.value)


def _group(logs: Any, group: str) -> str | None:
    found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return group if any(each["logGroupName"] == group for each in found) else None


def _last_lines(logs: Any, group: str, prefix: str) -> tuple[str, ...] | None:
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]
    if not streams:
        return None
    newest = max(streams, key=lambda stream: stream.get("lastEventTimestamp", 0))
    events = logs.get_log_events(
        logGroupName=group, logStreamName=newest["logStreamName"], limit=LAST_LINES, startFromHead=False
    )["events"]
    return tuple(str(event["message"]).rstrip() for event in events)
