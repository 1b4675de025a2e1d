"""The comparison with the reference platform says only what templates, tests and rules bear out."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainworks.assembly import CloudAssembly
from trainworks.assembly.graph import Graph, load_graph
from trainworks.config.profile import ProfileName

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """The module that makes the page."""
    sys.path.insert(0, str(ROOT / "pages"))
    yield importlib.import_module("parity_page")
    sys.path.remove(str(ROOT / "pages"))


@pytest.fixture(scope="module")
def graphs(assemblies: Mapping[ProfileName, CloudAssembly]) -> Mapping[str, Graph]:
    ours = {name.value: load_graph(assembly.directory) for name, assembly in assemblies.items()}
    return {**ours, "reference": load_graph(ROOT / "tests" / "reference" / "cdk.out", region="us-east-1")}


def test_every_resource_claim_and_fault_is_told_once(page: Any, graphs: Mapping[str, Graph]) -> None:
    assert page.problems(page.Parity(), graphs) == []


def test_what_is_told_wrongly_is_named(page: Any, graphs: Mapping[str, Graph]) -> None:
    whole = page.Parity()
    first, *others = whole.resources
    told = {
        "the reference has no AlarmX": replace(first, there=(*first.there, "AlarmX")),
        "is in 2 rows": replace(first, there=(*first.there, "TrainingVPC")),
        "is in no row": replace(first, there=first.there[1:]),
        "no profile has a AWS::EC2::VPC Elsewhere": replace(first, here=(("AWS::EC2::VPC", "Elsewhere"),)),
        "there is no src/nothing.py": replace(first, file="src/nothing.py"),
        "there is no test tests/snapshot/test_parity.py::test_nothing": replace(
            first, tests=("tests/snapshot/test_parity.py::test_nothing",)
        ),
    }
    for text, row in told.items():
        found = page.problems(replace(whole, resources=(row, *others)), graphs)
        assert len(found) == 1
        assert text in found[0]


def test_a_claim_or_rule_left_out_is_named(page: Any, graphs: Mapping[str, Graph]) -> None:
    whole = page.Parity()
    without_claim = page.problems(replace(whole, claims=whole.claims[1:]), graphs)
    assert without_claim == [f"claim {whole.claims[0].claim} is not judged"]
    first, *others = whole.defects
    without_code = page.problems(replace(whole, defects=(replace(first, codes=()), *others)), graphs)
    assert without_code == ["check finds TW01 on the reference, which no defect tells"]
    assert page.problems(replace(whole, defects=(*others,)), graphs)[-1] == "the defects are not numbered 1 to 30"
