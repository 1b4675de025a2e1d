"""TW13: several instances of one job whose security group keeps them apart."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.assembly.graph import Graph, Unknown
from trainworks.aws.security_groups import ALL_TCP, Peer, SecurityGroups
from trainworks.preflight.finding import Severity
from trainworks.preflight.network import Network, network_of
from trainworks.preflight.rule import Fault, Rule
from trainworks.preflight.security_groups import security_groups_of
from trainworks.preflight.settings import CheckSettings
from trainworks.preflight.workloads import SageMakerJob, Workload, workloads_of


def find(graph: Graph, settings: CheckSettings) -> Iterator[Fault]:
    """SageMaker's jobs, and Batch hosts that run multi-node jobs."""
    workloads, network, groups = workloads_of(graph), network_of(graph), security_groups_of(graph)
    for job in (*workloads.training_jobs, *workloads.processing_jobs):
        severity = _severity(job)
        if severity is not None:
            yield from _apart(job, network, groups, severity)
    for environment in workloads.batch_environments:
        nodes = [definition.num_nodes for definition in environment.job_definitions]
        if any(isinstance(count, float) and count > 1 for count in nodes):
            yield from _apart(environment, network, groups, Severity.ERROR)


def _severity(job: SageMakerJob) -> Severity | None:
    """None for one instance. A platform's settings leave the number to whoever submits: then it is a warning."""
    count = job.instance_count
    if count is None:
        return None if job.is_complete else Severity.WARNING
    if isinstance(count, Unknown):
        return Severity.WARNING
    return Severity.ERROR if count > 1 else None


def _apart(workload: Workload, network: Network, groups: SecurityGroups, severity: Severity) -> Iterator[Fault]:
    ids = workload.security_groups
    if not ids or not groups.knows_all(ids):
        return
    subnets = [network.subnet(each) for each in workload.subnets or ()]
    blocks = [subnet.cidr_block for subnet in subnets if subnet is not None and subnet.cidr_block]
    # Without subnets in sight only rules that name the groups can be judged.
    peer = Peer(frozenset(ids), tuple(blocks))
    missing = []
    if not groups.lets_in(ids, peer, ALL_TCP):
        missing.append("inbound from")
    if not groups.lets_out(ids, peer, ALL_TCP):
        missing.append("outbound to")
    if missing:
        many = "" if severity is Severity.ERROR else " as soon as it has more than one"
        yield Fault(
            workload.at,
            f"the instances of the {workload.title} cannot talk to each other: its security group allows no traffic "
            f"{' nor '.join(missing)} its own members, so it fails{many}",
            list(ids),
            f"allow all traffic {' and '.join(missing)} the group itself",
            severity,
        )


RULE = Rule(
    code="TW13",
    severity=Severity.ERROR,
    title="several instances of one job that cannot talk to each other",
    origin="Without a rule for its own members a security group makes training on several instances hang and fail.",
    find=find,
)
