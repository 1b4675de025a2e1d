"""`down` against a running twin: full buckets and repositories, what is retained, what blocks."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from tests.functional.deploy.platforms import ALLOWED, Recorder, clients_of, platform, storage
from trainworks.deploy import deployer, teardown
from trainworks.deploy.clients import Clients
from trainworks.deploy.status import status
from trainworks.errors import DeployError
from trainworks.testing import TestTwin


@pytest.fixture
def name() -> str:
    return f"platform-{uuid4().hex[:8]}"


@pytest.fixture
def clients(twin: TestTwin) -> Clients:
    return clients_of(twin)


def _fill(clients: Clients, bucket: str) -> None:
    """Two versions, a delete marker and an unfinished upload."""
    for body in (b"one", b"two"):
        clients.s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=body)
    clients.s3.delete_object(Bucket=bucket, Key="model.tar.gz")
    clients.s3.create_multipart_upload(Bucket=bucket, Key="unfinished")


def _push_image(clients: Clients, repository: str) -> None:
    manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'
    clients.ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag="1")


def test_what_is_full_is_emptied_and_what_is_retained_stays(name: str, clients: Clients, tmp_path: Path) -> None:
    repository_name = f"{name}-images"
    repository = {"Images": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": repository_name}}}
    nested = {"Storage": storage(name), "Archive": storage(f"{name}-kept", policy="Retain")}
    deployer.up(platform(tmp_path, name, nested, root=repository), clients, Recorder().monitor, ALLOWED)
    _fill(clients, name)
    _fill(clients, f"{name}-kept")
    _push_image(clients, repository_name)

    recorder = Recorder()
    result = teardown.down(name, clients, recorder.monitor)
    assert result.existed
    assert recorder.emptied == {name: 4, repository_name: 1}
    (kept,) = result.retained
    assert (kept.place, kept.physical_id) == ("Archive/Models", f"{name}-kept")
    assert status(name, clients).state is None
    buckets = {bucket["Name"] for bucket in clients.s3.list_buckets()["Buckets"]}
    assert f"{name}-kept" in buckets
    assert name not in buckets
    assert len(clients.s3.list_object_versions(Bucket=f"{name}-kept")["Versions"]) == 2


def test_down_of_what_is_not_there_is_fine(name: str, clients: Clients) -> None:
    assert teardown.survey(name, clients) is None
    assert not teardown.down(name, clients, Recorder().monitor).existed


def test_a_deletion_that_failed_is_finished_by_down(name: str, clients: Clients, tmp_path: Path) -> None:
    deployment = platform(tmp_path, name, {"Storage": storage(name)})
    stack_id = deployer.up(deployment, clients, Recorder().monitor, ALLOWED).stack_id
    _fill(clients, name)
    clients.cloudformation.delete_stack(StackName=name)
    with pytest.raises(DeployError, match="DELETE_FAILED"):
        deployer.up(deployment, clients, Recorder().monitor, ALLOWED)
    blocked = status(name, clients)
    assert blocked.state is not None
    assert (blocked.state.status, blocked.state.stack_id) == ("DELETE_FAILED", stack_id)
    assert blocked.cause is not None
    assert "empt" in blocked.cause.hint

    recorder = Recorder()
    assert teardown.down(name, clients, recorder.monitor).existed
    assert recorder.emptied == {name: 4}
    assert status(name, clients).state is None


def test_the_survey_tells_what_goes_and_what_stays(name: str, clients: Clients, tmp_path: Path) -> None:
    nested = {"Storage": storage(name), "Archive": storage(f"{name}-kept", policy="Retain")}
    deployer.up(platform(tmp_path, name, nested), clients, Recorder().monitor, ALLOWED)
    inventory = teardown.survey(name, clients)
    assert inventory is not None
    assert {resource.place: resource.retained for resource in inventory.resources} == {
        "Storage/Models": False,
        "Archive/Models": True,
    }
    assert teardown.plan_emptying(inventory) == (teardown.EmptyBucket(name),)
