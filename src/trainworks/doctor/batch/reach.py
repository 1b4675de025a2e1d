"""Services that the hosts or tasks of a job's compute environment need to start it, and cannot reach."""

from __future__ import annotations

from collections.abc import Iterator

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.ecr import parse_ecr_uri
from trainworks.aws.service_needs import Necessity, WorkloadKind, services_of
from trainworks.doctor.batch.facts import FARGATE_TYPES, BatchFacts, BatchJob
from trainworks.doctor.finding import Finding
from trainworks.doctor.reachability import layer_findings, network_findings, policy_findings


def reach_findings(facts: BatchFacts, job: BatchJob) -> Iterator[Finding]:
    """Findings for the first compute environment that takes jobs, whose network was looked at."""
    environment = next((each for each in facts.environments.value or () if each.is_usable), None)
    if facts.network is None or environment is None:
        return
    on_fargate = environment.kind in FARGATE_TYPES
    necessities = [Necessity.ALWAYS, Necessity.AWSLOGS]
    necessities.append(Necessity.PRIVATE_IMAGE if parse_ecr_uri(job.image) else Necessity.PUBLIC_IMAGE)
    services = services_of([WorkloadKind.BATCH_FARGATE if on_fargate else WorkloadKind.BATCH_EC2], necessities)
    used_by = f"compute environment {environment.name}"
    public_ip = job.assigns_public_ip if on_fargate else None
    yield from network_findings(facts.network, services, used_by=used_by, public_ip=public_ip)
    yield from policy_findings(facts.network, facts.execution_role, services, used_by=used_by, public_ip=public_ip)
    if parse_ecr_uri(job.image):
        queue = parts_of_arn(job.job_queue)
        yield from layer_findings(facts.network, queue.region, queue.partition, used_by=used_by, public_ip=public_ip)
