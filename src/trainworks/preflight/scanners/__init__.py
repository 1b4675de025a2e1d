"""What public scanners find, in our own report: cfn-lint over the templates, cdk-nag over the CDK app.

Each runs in a process of its own, and both at the same time. Where one is not installed a note says so by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from trainworks.assembly import SynthRequest
from trainworks.assembly.graph import Graph
from trainworks.extras import install_command
from trainworks.preflight.finding import Finding
from trainworks.preflight.rules.template_problem import REFUSED
from trainworks.preflight.scanners import cdk_nag, cfn_lint

CFN_LINT, CDK_NAG = "cfn-lint/", "cdk-nag/"
"""The beginnings of their codes."""


# Wrong forms, references to nothing, circles, unknown and missing properties, types and values.
_SAID_BY_TW00 = (
    "E1001", "E1010", "E1011", "E1012", "E1017", "E1018", "E1019", "E1020", "E1021", "E1022",
    "E1028", "E1050", "E3001", "E3002", "E3003", "E3004", "E3005", "E3006", "E3012", "E3030",
    "E3035", "E3036", "E6001", "E6002", "E6003", "E6101", "E7001", "E8001", "E8002", "E8003",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scan:
    """`findings` of the scanners that ran, whose codes begin with `prefixes`; `notes` on those that did not."""

    findings: tuple[Finding, ...] = ()
    prefixes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def scan(
    graph: Graph, request: SynthRequest | None, memory: Path, tell: Callable[[str], None] = lambda _: None
) -> Scan:
    """Run what is installed. cdk-nag looks at the constructs, so it needs the `request` that they are made from.

    What a scanner reported for the same input is read from the folder `memory`; `tell` is called with each one that has
    to run. Raises `TrainworksError` if a scanner itself fails.
    """
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(_cfn_lint, graph, memory, tell)]
        if request is not None:
            jobs.append(pool.submit(_cdk_nag, graph, request, memory, tell))
        return _joined([job.result() for job in jobs])


def _cfn_lint(graph: Graph, memory: Path, tell: Callable[[str], None]) -> Scan:
    if find_spec("cfnlint") is None:
        return Scan(notes=(f"cfn-lint is not installed, so it found nothing: {install_command('check')}",))
    return Scan(tuple(cfn_lint.findings(graph, memory, tell)), (CFN_LINT,))


def _cdk_nag(graph: Graph, request: SynthRequest, memory: Path, tell: Callable[[str], None]) -> Scan:
    if find_spec("cdk_nag") is None:
        return Scan(notes=(f"cdk-nag is not installed, so it found nothing: {install_command('infra')}",))
    return Scan(tuple(cdk_nag.findings(graph, request, memory, tell)), (CDK_NAG,))


def without_repeats(ours: Iterable[Finding], scanned: Iterable[Finding]) -> Iterator[Finding]:
    """What cfn-lint says less what rule TW00 says about the same resource: both read AWS's schemas."""
    refused = {finding.place for finding in ours if finding.code == REFUSED}
    for finding in scanned:
        if finding.code.removeprefix(CFN_LINT) not in _SAID_BY_TW00 or finding.place not in refused:
            yield finding


def _joined(scans: Sequence[Scan]) -> Scan:
    return Scan(
        tuple(finding for each in scans for finding in each.findings),
        tuple(prefix for each in scans for prefix in each.prefixes),
        tuple(note for each in scans for note in each.notes),
    )
