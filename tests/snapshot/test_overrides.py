"""Every value of a profile, replaced in `trainworks.toml`, reaches what is deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ACCOUNT, REGION
from tests.unit.config.leaves import leaves, toml
from trainworks.assembly import CloudAssembly, SynthRequest, synthesize
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.config.environment import FILE_NAME, load_environment


@dataclass(frozen=True)
class Override:
    """`value` instead of the profile's; `beside` are other values that it needs, there with and without it."""

    value: Any
    profile: str = "dev"
    beside: dict[str, dict[str, Any]] = field(default_factory=dict)


SPOT = {"batch": {"on_demand_max_vcpus": 8}}
NAT = {"network": {"egress": "nat-gateway"}}

OVERRIDES = {
    "termination_protection": Override(True),
    "network.cidr_block": Override("10.3.0.0/18"),
    "network.subnet_cidr_mask": Override(22),
    "network.availability_zones": Override(["b", "c"]),
    "network.egress": Override("nat-gateway"),
    "network.interface_endpoints": Override(["sts"]),
    "network.readable_buckets": Override(["open-data"]),
    "network.gateway_prefix_list_ids": Override(["pl-12345678"]),
    "network.flow_logs": Override(False),
    "storage.retain": Override(True),
    "storage.key_per_domain": Override(True),
    "storage.noncurrent_version_expiration_days": Override(3),
    "storage.abort_incomplete_multipart_upload_days": Override(3),
    "storage.artifact_archive_days": Override(333),
    "storage.access_log_expiration_days": Override(33),
    "storage.max_image_count": Override(33),
    "monitoring.dashboard": Override(False, "prod"),
    "monitoring.notification_emails": Override(["team@example.com"]),
    "monitoring.log_retention_days": Override(3),
    "monitoring.training_log_retention_days": Override(False),
    "cost.monthly_budget_usd": Override(333),
    "cost.budget_alert_percent": Override(33),
    "cost.anomaly_impact_usd": Override(False),
    "training.enable_managed_spot_training": Override(False),
    "training.max_runtime_seconds": Override(333),
    "training.max_wait_time_seconds": Override(99_999),
    "notebook.instance_type": Override("ml.t3.large"),
    "notebook.volume_size_in_gb": Override(33),
    "notebook.idle_minutes": Override(33),
    "notebook.default_code_repository": Override("https://example.com/x.git", beside=NAT),
    "batch.instance_types": Override(["c5.large"]),
    "batch.max_vcpus": Override(33),
    "batch.min_vcpus": Override(3),
    "batch.on_demand_max_vcpus": Override(33),
    "batch.volume_size_in_gb": Override(33),
    "batch.job_vcpus": Override(2),
    "batch.job_memory_mib": Override(333),
    "batch.job_timeout_seconds": Override(333),
    "batch.job_attempts": Override(2),
    "batch.runnable_limit_seconds": Override(666),
    "batch.queue_priority": Override(33),
    "batch.image_tag": Override("v33"),
}


@pytest.fixture(scope="module")
def synthesizer() -> Iterator[Synthesizer]:
    with Synthesizer() as shared:
        yield shared


def deployed(assembly: CloudAssembly) -> str:
    """All that a deployment is made from, apart from the hashes that follow from it."""
    templates = json.dumps([template for _, template in assembly.templates()], sort_keys=True)
    return f"{assembly.termination_protection} {templates}"


def test_every_value_has_its_override() -> None:
    assert {leaf.dotted for leaf in leaves()} == {*OVERRIDES, "name"}


@pytest.mark.parametrize("dotted", OVERRIDES)
def test_a_value_reaches_what_is_deployed(
    dotted: str, tmp_path: Path, assembly_cache: Path, synthesizer: Synthesizer
) -> None:
    override = OVERRIDES[dotted]
    *table, key = dotted.split(".")

    def assembly(*, replaced: bool) -> CloudAssembly:
        tables: dict[str, dict[str, Any]] = {"environments.x": {"profile": override.profile}}
        tables |= {f"environments.x.{name}": dict(values) for name, values in override.beside.items()}
        if replaced:
            tables.setdefault(".".join(["environments.x", *table]), {})[key] = override.value
        (tmp_path / FILE_NAME).write_text(toml(tables))
        profile = load_environment("x", tmp_path, environ={}).profile
        return synthesize(SynthRequest("x", profile, ACCOUNT, REGION), assembly_cache, synthesizer.synthesize)

    assert deployed(assembly(replaced=True)) != deployed(assembly(replaced=False))
