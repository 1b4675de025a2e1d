from __future__ import annotations

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.assembly.graph import graph_of_template
from trainworks.preflight.finding import Severity
from trainworks.preflight.metric_catalogue import objection

DATA = json.loads(files("trainworks.preflight").joinpath("data/metrics.json").read_text(encoding="utf-8"))
KNOWN = [
    (namespace, metric, tuple(names))
    for namespace, groups in DATA["namespaces"].items()
    for group in groups
    for metric in group["metrics"]
    for names in group["dimensions"]
]
EMPTY = graph_of_template({"Resources": {}})


@given(st.sampled_from(KNOWN))
def test_what_is_listed_exists(known: tuple[str, str, tuple[str, ...]]) -> None:
    assert objection(EMPTY, *known) is None


@given(st.sampled_from(sorted(DATA["namespaces"])))
def test_dimensions_that_nothing_has(namespace: str) -> None:
    against = objection(EMPTY, namespace, "", ("NoSuchDimension",))
    assert against is not None
    assert "{NoSuchDimension}" in against.message


def test_the_fix_names_the_dimensions_that_exist() -> None:
    against = objection(EMPTY, "AWS/SageMaker", "ModelLatency", ("EndpointName",))
    assert against is not None
    assert against.fix == (
        "use the dimensions that it is emitted by: {InferenceComponentName} or {EndpointName, VariantName} or "
        "{ContainerId, InferenceComponentName, InstanceId}"
    )


@pytest.mark.parametrize("namespace", DATA["unlisted"])
def test_of_others_nothing_is_said(namespace: str) -> None:
    assert objection(EMPTY, namespace, "Anything", ("Any",)) is None


def test_batch_has_no_metrics() -> None:
    against = objection(EMPTY, "AWS/Batch", "FailedJobs", ("JobQueue",))
    assert against is not None
    assert against.severity is Severity.ERROR
    assert "Batch Job State Change" in against.fix


def test_no_namespace_is_both() -> None:
    kinds = [DATA["unlisted"], list(DATA["namespaces"]), list(DATA["absent"])]
    assert len({name for names in kinds for name in names}) == sum(len(names) for names in kinds)
