"""What the shipped profiles and the reference cost, at the prices that ship; and that the documents still say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.cost.counted import REGION, SHIPPED
from trainworks.assembly import CloudAssembly
from trainworks.assembly.graph import load_graph
from trainworks.config.profile import ProfileName
from trainworks.cost.idle import IdleCost, idle_cost
from trainworks.cost.metering import Assumptions

ROOT = Path(__file__).resolve().parents[3]
DEV_GOAL = Decimal("2.00")
DAY_AND_NIGHT = Assumptions(Decimal(730))
_TOTALS = re.compile(r"^\| \*\*total, notebook (?P<state>stopped|running)\*\* \| (?P<figures>.*) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def folders(assemblies: Mapping[ProfileName, CloudAssembly]) -> dict[str, Path]:
    """Where the templates of each platform are, in the order of the documents' columns."""
    ours = {name.value: assemblies[name].directory for name in ProfileName}
    return {**ours, "reference": ROOT / "tests" / "reference" / "cdk.out"}


def _cost(folder: Path, assumptions: Assumptions | None = None) -> IdleCost:
    return idle_cost(load_graph(folder, region=REGION), SHIPPED, assumptions)


@pytest.mark.parametrize("name", ["dev", "staging", "prod", "reference"])
def test_everything_in_it_has_a_known_cost(name: str, folders: Mapping[str, Path]) -> None:
    assert [(each.place, each.unknown) for each in _cost(folders[name]).unknown] == []


def test_dev_without_a_notebook_running_costs_two_dollars_at_most(folders: Mapping[str, Path]) -> None:
    assert _cost(folders["dev"]).total.high <= DEV_GOAL


@pytest.mark.parametrize("document", ["README.md", "docs/reference/cost.md"])
def test_the_documents_say_what_is_counted_now(document: str, folders: Mapping[str, Path]) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    said = {found["state"]: found["figures"].replace("*", "").split(" | ") for found in _TOTALS.finditer(text)}
    stopped = [str(_cost(folder).total) for folder in folders.values()]
    running = [str(_cost(folder, DAY_AND_NIGHT).total) for folder in folders.values()]
    assert said == {"stopped": stopped, "running": running}, "fix: python3 dev.py docs"
