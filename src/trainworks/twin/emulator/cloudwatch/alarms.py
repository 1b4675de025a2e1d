"""CloudWatch alarms, evaluated by a timer, over their own dimensions, period by period, with missing data treated.

Stock evaluates only while somebody looks, over all metrics of a name whatever their dimensions, as one value, and knows
no alarm on an expression. After "Configuring how CloudWatch alarms treat missing data" (CloudWatch User Guide).
"""

from __future__ import annotations

import logging
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudwatch import alarm_queries
from trainworks.twin.emulator.cloudwatch.alarm_queries import end_of, period_of, queries_of
from trainworks.twin.emulator.cloudwatch.metric_data import MetricData
from trainworks.twin.emulator.cloudwatch.metric_queries import MetricDataRequest
from trainworks.twin.emulator.service_publishing import refusal
from trainworks.twin.ports import ApiError

_LOG = logging.getLogger(__name__)

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class Alarms:
    """Replaces the evaluation of metric alarms in ministack's CloudWatch."""

    def __init__(self, data: MetricData, clock: Callable[[], float] = time.time) -> None:
        self._data = data
        self._clock = clock
        self._cloudwatch: Any = None

    def install(self, cloudwatch: Any) -> None:
        """CloudWatch was loaded."""
        self._cloudwatch = cloudwatch
        cloudwatch._evaluate_alarm = self.evaluate
        alarm_queries.install(cloudwatch)

    def evaluate_all(self) -> None:
        """Evaluate every alarm of every account and region; nothing to do before CloudWatch is used."""
        if self._cloudwatch is None:
            return
        scope = engine.module("core.responses").request_scope
        for account, region in {key[:2] for key in list(self._cloudwatch._alarms._data)}:
            with scope(account, region):
                self._cloudwatch._evaluate_all_alarms()

    def evaluate(self, alarm: dict[str, Any]) -> None:
        """Bring one alarm to the state that its metric calls for, with its history and its actions."""
        queries = queries_of(alarm)
        if not (queries or alarm.get("MetricName")) or alarm.get("ComparisonOperator") not in _COMPARE:
            return
        values = self._computed(alarm, queries) if queries else self._values(alarm)
        state = state_of(alarm, values)
        if state is None or state == alarm["StateValue"]:
            return
        cloudwatch, before = self._cloudwatch, alarm["StateValue"]
        known = [value for value in values if value is not None]
        alarm["StateValue"] = state
        alarm["StateReason"] = (
            f"Threshold Crossed: {len(known)} datapoint(s) {known} compared by {alarm['ComparisonOperator']} "
            f"to the threshold ({alarm.get('Threshold')})."
        )
        alarm["StateUpdatedTimestamp"] = int(self._clock())
        cloudwatch._record_history(alarm["AlarmName"], before, state, alarm["StateReason"])
        cloudwatch._dispatch_alarm_actions(_deliverable(alarm), before, state, alarm["StateReason"])
        cloudwatch._evaluate_parent_alarms(alarm)

    def _computed(self, alarm: Mapping[str, Any], queries: Sequence[Mapping[str, Any]]) -> list[float | None]:
        """What the alarm's expression gives for each period that is evaluated, oldest first."""
        period, count, end = period_of(queries), int(alarm.get("EvaluationPeriods", 1)), int(self._clock()) + 1
        start = end - period * count
        given = {
            "MetricDataQueries": queries,
            "StartTime": datetime.fromtimestamp(start, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
        }
        try:
            answer = MetricDataRequest(self._cloudwatch, self._data, given, origin=start)
            return answer.value_at(end_of(queries), range(start, end, period))
        except ApiError as error:
            _LOG.warning("alarm %s is not evaluated: %s", alarm["AlarmName"], error.message)
            return [None] * count

    def _values(self, alarm: Mapping[str, Any]) -> list[float | None]:
        """The statistic of each period that is evaluated, oldest first; None if there is no data."""
        cloudwatch, period = self._cloudwatch, int(alarm.get("Period", 60))
        wanted = {entry["Name"]: entry["Value"] for entry in alarm.get("Dimensions") or []}
        key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(wanted))
        series = cloudwatch._metrics.get(key)
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "Average")
        end = self._clock()
        points = series.since(end - period * int(alarm.get("EvaluationPeriods", 1))) if series is not None else []
        values: list[float | None] = []
        for back in range(int(alarm.get("EvaluationPeriods", 1)), 0, -1):
            low, high = end - back * period, end - (back - 1) * period
            within = [point for point in points if low < point["Timestamp"] <= high]
            values.append(cloudwatch._stat_value(cloudwatch._calc_stats(within), statistic, within) if within else None)
        return values


def _deliverable(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """The alarm with those actions only that CloudWatch may take: a topic's policy and key have to let it publish."""
    arn = str(alarm["AlarmArn"])
    account = parts_of_arn(arn).account
    source = {"aws:sourcearn": arn, "aws:sourceaccount": account, "aws:sourceowner": account}
    copy = dict(alarm)
    for field in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        refused = {
            action: reason
            for action in alarm.get(field) or []
            if parts_of_arn(action).service == "sns" and (reason := refusal(action, "cloudwatch.amazonaws.com", source))
        }
        for reason in refused.values():
            _LOG.warning("alarm %s did not act: %s", alarm["AlarmName"], reason)
        copy[field] = [action for action in alarm.get(field) or [] if action not in refused]
    return copy


def state_of(alarm: Mapping[str, Any], values: Sequence[float | None]) -> str | None:
    """The state that the values of the evaluated periods call for; None keeps the state that the alarm has."""
    compare = _COMPARE[str(alarm["ComparisonOperator"])]
    missing = alarm.get("TreatMissingData") or "missing"
    if all(value is None for value in values):
        return {"missing": "INSUFFICIENT_DATA", "breaching": "ALARM", "notBreaching": "OK"}.get(missing)
    threshold = float(alarm.get("Threshold", 0))
    breaching = [compare(value, threshold) if value is not None else missing == "breaching" for value in values]
    needed = int(alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods", 1))
    return "ALARM" if sum(breaching) >= needed else "OK"
