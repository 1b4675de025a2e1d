"""What is counted of invocations, and what CloudWatch gets of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.services.sagemaker.hosting.metrics import data_of
from trainworks.twin.serving.tally import Tally, rounded

ARN = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e"
REQUESTS = st.lists(st.tuples(st.sampled_from([0, 200, 204, 301, 400, 415, 500, 503]), st.floats(0, 60)), min_size=1)


@given(REQUESTS)
def test_each_request_is_in_each_metric_once(requests: list[tuple[int, float]]) -> None:
    tally = Tally()
    for status, seconds in requests:
        tally.note(ARN, "E", "v", 2, status, seconds, seconds / 2)
    (counted,) = tally.take()
    assert tally.take() == []
    data = {each.metric_name: each for each in data_of(counted, 60.0)}
    for name, datum in data.items():
        assert datum.counts is not None
        assert sum(datum.counts.values()) == len(requests), name
        assert datum.dimensions == {"EndpointName": "E", "VariantName": "v"}
    total = {name: sum(value * times for value, times in (each.counts or {}).items()) for name, each in data.items()}
    assert total["Invocations"] == len(requests)
    assert total["InvocationsPerInstance"] == len(requests) / 2
    for digit in (4, 5):
        assert total[f"Invocation{digit}XXErrors"] == sum(status // 100 == digit for status, _ in requests)
    assert total["InvocationModelErrors"] == sum(not 200 <= status < 300 for status, _ in requests)


@given(st.floats(0, 6e7))
def test_latencies_are_rounded_to_two_digits(value: float) -> None:
    assert abs(rounded(value) - value) <= 0.051 * value
