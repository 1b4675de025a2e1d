"""Which container a request is given to."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from trainworks.twin.ports import Served, ServedVariant, Target
from trainworks.twin.serving.routing import NoSuchVariantError, Routing

ARN = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e"


def target(name: str) -> Target:
    return Target(name, Path("/doors", name))


def routing(**weights: float) -> Routing:
    """Two containers of each variant: `v-0`, `v-1`."""
    made = Routing(random.Random(7))
    variants = tuple(
        ServedVariant(name, weight, (target(f"{name}-0"), target(f"{name}-1"))) for name, weight in weights.items()
    )
    made.publish(ARN, Served("e", "/aws/sagemaker/Endpoints/e", variants))
    return made


def chosen(routing: Routing, variant: str = "", without: frozenset[str] = frozenset()) -> str | None:
    with routing.choose(ARN, variant, without) as found:
        return None if found is None else found[1].task_id


def test_weights_are_shares_and_a_weight_of_nothing_gets_nothing() -> None:
    made = routing(a=3.0, b=1.0, c=0.0)
    counted = Counter((chosen(made) or "").partition("-")[0] for _ in range(4000))
    assert counted["c"] == 0
    assert 2800 < counted["a"] < 3200


def test_a_variant_that_is_named_is_chosen_whatever_its_weight() -> None:
    made = routing(a=1.0, b=0.0)
    assert (chosen(made, "b") or "").startswith("b-")
    with pytest.raises(NoSuchVariantError):
        chosen(made, "z")


def test_the_container_with_fewest_requests_is_next() -> None:
    made = routing(a=1.0)
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(made.choose(ARN, "", ()))
        assert [made.in_flight(name) for name in ("a-0", "a-1")] == [5, 5]
    assert made.in_flight("a-0") == made.in_flight("a-1") == 0


def test_what_was_tried_is_not_chosen_again_and_a_place_is_kept_to_its_end() -> None:
    made = routing(a=1.0, b=1.0)
    assert chosen(made, "", frozenset({"a-0", "b-0", "b-1"})) == "a-1"
    assert chosen(made, "", frozenset({"a-0", "a-1", "b-0", "b-1"})) is None
    with made.choose(ARN, "a", {"a-1"}):
        made.publish(ARN, None)
        assert chosen(made) is None
        assert made.in_flight("a-0") == 1
        assert made.published == frozenset()
    assert made.in_flight("a-0") == 0
