"""What a function prints: a line is an event, in order, bounded, and sent while it still runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.functions.output import MOST_BYTES, OutputCollector


def collected(parts: list[bytes]) -> tuple[OutputCollector, list[tuple[int, str]]]:
    events: list[tuple[int, str]] = []
    output = OutputCollector(events.extend)
    for part in parts:
        output.write(part)
    output.flush(now=True)
    return output, events


@given(st.lists(st.text(alphabet="ab \u00e9", min_size=0, max_size=9), max_size=9), st.integers(1, 7))
def test_lines_arrive_whole_and_in_order_however_they_are_cut(lines: list[str], size: int) -> None:
    data = "".join(line + "\n" for line in lines).encode()
    _, events = collected([data[start : start + size] for start in range(0, len(data), size)])
    assert [message for _, message in events] == [line or "\n" for line in lines]
    assert [at for at, _ in events] == sorted(at for at, _ in events)


def test_a_line_without_end_is_cut_and_the_last_one_needs_none() -> None:
    _, events = collected([b"x" * 600_000, b"\nlast"])
    assert "".join(message for _, message in events) == "x" * 600_000 + "last"
    assert max(len(message) for _, message in events) <= 250_000
    assert events[-1][1] == "last"


def test_bytes_that_are_no_text_are_replaced() -> None:
    _, events = collected([b"\xff\xfe\n"])
    assert events[0][1] == "\ufffd\ufffd"


def test_a_flood_is_cut_and_the_log_says_so_once() -> None:
    output, events = collected([b"y" * 1_000_000 + b"\n"] * 40)
    assert output.is_full
    assert sum(len(message) for _, message in events) < MOST_BYTES + 2_000_000
    assert sum("the rest of the output is left out" in message for _, message in events) == 1
    assert len(output.tail()) <= 4096


def test_much_is_sent_before_the_end() -> None:
    sent: list[int] = []
    output = OutputCollector(lambda events: sent.append(len(events)))
    output.write(b"line\n" * 5000)
    assert sum(sent) >= 4000
    assert max(sent) <= 1000
