"""The metrics of endpoints, as SageMaker publishes them: namespace AWS/SageMaker, by EndpointName and VariantName.

Source: "SageMaker AI endpoint invocation metrics" (Monitor Amazon SageMaker AI with CloudWatch). Values of a minute are
one data point, with how often each came, so that percentiles of latencies can be asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from trainworks.twin.ports import ControlPlane, Gateway, Invocations, MetricDatum
from trainworks.twin.services.background import Background

NAMESPACE = "AWS/SageMaker"
_MINUTE = 60


class EndpointMetrics:
    """Publishes what the gateway has counted, each few seconds."""

    def __init__(
        self,
        gateway: Gateway,
        control_plane: ControlPlane,
        interval_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._gateway = gateway
        self._control_plane = control_plane
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._background = Background("endpoint-metrics", self._pass)

    def start(self) -> None:
        self._background.start()

    def stop(self) -> None:
        """Publish what is left."""
        self._background.stop()
        self.publish()

    def publish(self) -> None:
        minute = self._clock() // _MINUTE * _MINUTE
        for invocations in self._gateway.taken_invocations():
            region = invocations.endpoint_arn.split(":")[3]
            self._control_plane.put_metric_data(NAMESPACE, list(data_of(invocations, minute)), region)

    def _pass(self) -> float:
        self.publish()
        return self._interval_seconds


def data_of(invocations: Invocations, at: float) -> Iterator[MetricDatum]:
    """The data points of some invocations at one moment."""
    dimensions = {"EndpointName": invocations.endpoint_name, "VariantName": invocations.variant}
    count = float(invocations.count)
    failed = {
        "Invocation4XXErrors": invocations.errors.get(4, 0),
        "Invocation5XXErrors": invocations.errors.get(5, 0),
        "InvocationModelErrors": sum(invocations.errors.values()),
    }
    counted: dict[str, Mapping[float, float]] = {"Invocations": {1.0: count}}
    if invocations.instances:
        counted["InvocationsPerInstance"] = {1.0 / invocations.instances: count}
    for name, times in failed.items():
        counted[name] = {value: each for value, each in ((1.0, float(times)), (0.0, count - times)) if each}
    for name, counts in counted.items():
        yield MetricDatum(name, dimensions, 0.0, at, counts=counts)
    for name, counts in (
        ("ModelLatency", invocations.model_latency),
        ("OverheadLatency", invocations.overhead_latency),
    ):
        yield MetricDatum(name, dimensions, 0.0, at, unit="Microseconds", counts=counts)
