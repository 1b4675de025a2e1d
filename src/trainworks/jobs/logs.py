"""Log streams, read to their end and no further.

A stream that does not exist yet is empty, not an error: a job that fails before its first line has a reason to show.
`GetLogEvents` is read by its tokens; the end is where the token repeats. Every read is bounded, so none can hang.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from trainworks.jobs.faults import code_of

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import GetLogEventsResponseTypeDef

_PAGES_A_READ = 20
_QUIET_READS = 3
_MOST_EVENTS = 10_000
"""That GetLogEvents answers at once."""


@dataclass(frozen=True, slots=True)
class LogStream:
    """One stream: `label` is what tells it from the job's others (`algo-1`, an array index), or empty.

    `is_ended` says whether its writer has ended; it does not belong to the stream's identity.
    """

    group: str
    name: str
    label: str = ""
    is_ended: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a job's log; `timestamp` in seconds since the epoch."""

    timestamp: float
    message: str
    label: str = ""


@dataclass(slots=True)
class LogReader:
    """Reads streams from where it stopped before. One reader belongs to one follow of one job.

    It begins at the first line; with `since` at that time; with `tail` at the last so many lines of all the streams
    that the first call names, with 0 behind them all. A stream that has ended and had nothing new three times is left
    alone: an array job has many of them.
    """

    client: CloudWatchLogsClient
    tail: int | None = None
    since: datetime | None = None
    _tokens: dict[LogStream, str] = field(default_factory=dict)
    _quiet_reads: dict[LogStream, int] = field(default_factory=dict)
    _is_at_tail: bool = False

    def new_lines(self, streams: Sequence[LogStream]) -> list[LogLine]:
        """What the streams have got since the last call that returned, in order of time: a call that failed can be
        made again, and gives what that one had found."""
        lines: list[LogLine] = []
        tokens: dict[LogStream, str] = {}
        quiet_reads: dict[LogStream, int] = {}
        tail = None if self._is_at_tail else self.tail
        for stream in streams:
            if self._quiet_reads.get(stream, 0) >= _QUIET_READS:
                continue
            found = list(self._read(stream, tokens) if tail is None else self._last(stream, tail, tokens))
            quiet_reads[stream] = self._quiet_reads.get(stream, 0) + 1 if stream.is_ended and not found else 0
            lines += found
        self._tokens |= tokens
        self._quiet_reads |= quiet_reads
        self._is_at_tail = True
        lines.sort(key=lambda line: line.timestamp)
        return lines if tail is None else lines[max(len(lines) - tail, 0) :]

    def _read(self, stream: LogStream, tokens: dict[LogStream, str]) -> Iterator[LogLine]:
        """The lines behind those that were read; how far that is goes into `tokens`."""
        for _ in range(_PAGES_A_READ):
            token = tokens.get(stream) or self._tokens.get(stream)
            page = self._page(stream, {"startFromHead": True} | ({"nextToken": token} if token else {}))
            if page is None:
                return
            yield from _lines(stream, page)
            following = page.get("nextForwardToken")
            if not following or following == token:
                return
            tokens[stream] = following

    def _last(self, stream: LogStream, tail: int, tokens: dict[LogStream, str]) -> Iterator[LogLine]:
        """The last `tail` lines of one stream, read backwards; what comes behind them is read from `tokens` on."""
        pages: list[list[LogLine]] = []
        query: dict[str, Any] = {"startFromHead": False}
        wanted = max(tail, 1)  # for none too: the answer says where the stream ends
        while wanted > 0:
            page = self._page(stream, query | {"limit": min(wanted, _MOST_EVENTS)})
            if page is None:
                return
            tokens.setdefault(stream, page["nextForwardToken"])
            pages.append(list(_lines(stream, page)))
            wanted -= len(pages[-1])
            # AWS gives the same token again at the beginning, and may give an empty page before it.
            if page["nextBackwardToken"] == query.get("nextToken"):
                break
            query["nextToken"] = page["nextBackwardToken"]
        for lines in reversed(pages):
            yield from lines

    def _page(self, stream: LogStream, query: dict[str, Any]) -> GetLogEventsResponseTypeDef | None:
        """One answer of `GetLogEvents`; None for a stream that is not there yet."""
        if self.since is not None:
            query = query | {"startTime": int(self.since.timestamp() * 1000)}
        try:
            return self.client.get_log_events(logGroupName=stream.group, logStreamName=stream.name, **query)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise


def _lines(stream: LogStream, page: GetLogEventsResponseTypeDef) -> Iterator[LogLine]:
    for event in page["events"]:
        yield LogLine(event["timestamp"] / 1000, event["message"].rstrip("\n"), stream.label)


def streams_with_prefix(client: CloudWatchLogsClient, group: str, prefix: str) -> list[LogStream]:
    """The streams of a group whose name starts with `prefix`; the label is what follows it.

    SageMaker names them `<job>/algo-<n>-<time>`: a restarted instance writes to a new stream.
    """
    found: list[LogStream] = []
    try:
        for page in client.get_paginator("describe_log_streams").paginate(
            logGroupName=group, logStreamNamePrefix=prefix
        ):
            names = (each["logStreamName"] for each in page["logStreams"])
            found += [LogStream(group, name, "-".join(name.removeprefix(prefix).split("-")[:2])) for name in names]
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
    return found
