"""`reference-parity.md`: the reference platform beside this one, from `parity.py`; every name in it is checked."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from parity import BESIDE, CLAIMS, DEFECT_TESTS, DEFECTS, RESOURCES, Claim, Defect, Parity, Row
from platforms import REFERENCE, graphs

from trainworks.assembly.graph import Graph, Resource
from trainworks.preflight.checker import check
from trainworks.preflight.settings import CheckSettings

ROOT = Path(__file__).resolve().parent.parent

HEAD = """\
# The TypeScript platform and this one

trainworks is measured against a training platform in TypeScript with the same purpose: the **reference**. Its
synthesized templates are in `tests/reference/`. This page says where each of its resources is here, whether what it
claims is so, and which faults it has. Each fault is found on its templates, and is absent from ours, by the same test.

The page is made from `pages/parity.py`, and cannot be made when that is wrong: when a resource of the reference is in
no row or in two, when a row names something of ours that no profile has, when a test is not there, or when
`trainworks check` finds something else on the reference than told here.
"""


class StaleParityError(Exception):
    """A name in `parity.py` is not what it says."""


def page() -> str:
    """The page. Raises `StaleParityError`."""
    if found := problems(Parity(), graphs()):
        raise StaleParityError("pages/parity.py: " + "; ".join(found))
    there = _by_name(graphs()["reference"])
    return "\n".join([HEAD, _resources(there), "", _claims(), "", _defects()])


# -- checked ------------------------------------------------------------------------------------------------------


def problems(parity: Parity, platforms: Mapping[str, Graph]) -> list[str]:
    """What `parity` tells otherwise than the templates, tests and rules; `platforms` as `platforms.graphs` gives."""
    reference = platforms["reference"]
    ours = [graph for name, graph in platforms.items() if name != "reference"]
    return [
        *_resources_missing_or_twice(parity, _by_name(reference)),
        *_places_missing(parity, ours),
        *_tests_missing(parity),
        *_claims_missing(parity),
        *_codes(parity, reference),
    ]


def _by_name(reference: Graph) -> dict[str, Resource]:
    """Resources of the reference by logical id without the hash."""
    return {re.sub(r"[0-9A-F]{8}$", "", each.logical_id): each for each in reference.resources}


def _resources_missing_or_twice(parity: Parity, there: Mapping[str, Resource]) -> Iterator[str]:
    named = Counter(name for row in parity.resources for name in row.there)
    yield from (f"{name} of the reference is in no row" for name in there if name not in named)
    yield from (f"{name} is in {count} rows" for name, count in named.items() if count > 1)
    yield from (f"the reference has no {name}" for name in named if name not in there)


def _places_missing(parity: Parity, ours: Sequence[Graph]) -> Iterator[str]:
    places = {(each.type, each.place) for graph in ours for each in graph.resources}
    for row in parity.resources:
        yield from (f"no profile has a {type_} {place}" for type_, place in row.here if (type_, place) not in places)
        if not (ROOT / row.file).is_file():
            yield f"there is no {row.file}"


def _tests_missing(parity: Parity) -> Iterator[str]:
    named = [test for part in (parity.resources, parity.claims) for each in part for test in each.tests]
    for test in (*named, *(f"{DEFECT_TESTS}::{defect.test}" for defect in parity.defects)):
        path, _, function = test.partition("::")
        if not (ROOT / path).is_file() or (function and function not in _functions(path)):
            yield f"there is no test {test}"


@cache
def _functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def _claims_missing(parity: Parity) -> Iterator[str]:
    told, judged = set(_texts()), {claim.claim for claim in parity.claims}
    yield from (f"claim {name} is not judged" for name in sorted(told - judged))
    yield from (f"the reference does not claim {name}" for name in sorted(judged - told))


@cache
def _texts() -> dict[str, dict[str, str]]:
    sources = json.loads((REFERENCE.parent / "sources.json").read_text(encoding="utf-8"))
    return {claim["id"]: claim for claim in sources["claims"]}


def _codes(parity: Parity, reference: Graph) -> Iterator[str]:
    found = {finding.code for finding in check(reference, CheckSettings(production=True)).findings}
    told = {*BESIDE, *(code for defect in parity.defects for code in defect.codes)}
    yield from (f"check does not find {code} on the reference" for code in sorted(told - found))
    yield from (f"check finds {code} on the reference, which no defect tells" for code in sorted(found - told))
    if [defect.number for defect in parity.defects] != list(range(1, 31)):
        yield "the defects are not numbered 1 to 30"


# -- rendered -----------------------------------------------------------------------------------------------------


def _resources(there: Mapping[str, Resource]) -> str:
    count = sum(len(row.there) for row in RESOURCES)
    lines = [
        f"## Resources: {count} there",
        "",
        "| there | here | difference | shown by |",
        "|---|---|---|---|",
        *(_resource(row, there) for row in RESOURCES),
    ]
    return "\n".join(lines)


def _resource(row: Row, resources: Mapping[str, Resource]) -> str:
    ids = "<br>".join(f"{name} ({resources[name].type.removeprefix('AWS::')})" for name in row.there)
    there = f"{row.what}<details><summary>{len(row.there)} of its resources</summary>{ids}</details>"
    here = "<br>".join(f"`{place}` ({type_.removeprefix('AWS::')})" for type_, place in row.here) or "none"
    file = f"[{Path(row.file).name}](../../{row.file})"
    return f"| {there} | {here}<br>{file} | {row.difference} | {_tests(row.tests)} |"


def _claims() -> str:
    lines = ["## Claims", ""]
    for area in dict.fromkeys(_texts()[claim.claim]["area"] for claim in CLAIMS):
        lines += [f"### {area.capitalize()}", "", "| claimed there | is it so | here | shown by |", "|---|---|---|---|"]
        lines += [_claim(claim) for claim in CLAIMS if _texts()[claim.claim]["area"] == area]
        lines.append("")
    return "\n".join(lines[:-1])


def _claim(claim: Claim) -> str:
    return f"| {_texts()[claim.claim]['text']} | {claim.there} | {claim.here} | {_tests(claim.tests)} |"


def _defects() -> str:
    lines = [
        "## Faults",
        "",
        f"Each test is in [{Path(DEFECT_TESTS).name}](../../{DEFECT_TESTS}); "
        "the codes are those of `trainworks check`.",
        "",
        "| fault | there | here | test | found by |",
        "|---|---|---|---|---|",
        *(_defect(defect) for defect in DEFECTS),
        "",
        "Beside these thirty, `trainworks check` finds there:",
        "",
        *(f"- {code}: {text}" for code, text in BESIDE.items()),
        "",
    ]
    return "\n".join(lines)


def _defect(defect: Defect) -> str:
    found = ", ".join(defect.codes) or f"no rule: {defect.none}"
    return f"| D{defect.number} | {defect.there} | {defect.here} | `{defect.test}` | {found} |"


def _tests(tests: tuple[str, ...]) -> str:
    shown = []
    for test in tests:
        path, _, function = test.partition("::")
        shown.append(f"[{function or Path(path).stem}](../../{path})")
    return "<br>".join(shown)
