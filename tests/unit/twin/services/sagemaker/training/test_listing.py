"""ListTrainingJobs against a naive listing: every order and filter, page by page, with jobs that come and go."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.unit.twin.services.fakes import FakeControlPlane
from tests.unit.twin.services.sagemaker.training.records import job as job_record
from trainworks.states.training_job import SecondaryStatus
from trainworks.twin.services.outbox import Outbox
from trainworks.twin.services.sagemaker.training.listing import list_page
from trainworks.twin.services.sagemaker.training.records import TrainingJob
from trainworks.twin.services.sagemaker.training.store import TrainingJobs
from trainworks.twin.store.database import Database

_KEYS = {
    "Name": lambda job: (job.name,),
    "CreationTime": lambda job: (job.creation_time, job.name),
    "Status": lambda job: (job.status.value, job.name),
}


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[TrainingJobs]:
    database = Database(tmp_path / "twin.db")
    yield TrainingJobs(database, Outbox(database, FakeControlPlane()))
    database.close()


def insert(jobs: TrainingJobs, number: int, rng: random.Random) -> TrainingJob:
    status = rng.choice([SecondaryStatus.COMPLETED, SecondaryStatus.FAILED, SecondaryStatus.TRAINING])
    name = f"{rng.choice(['Alpha', 'beta'])}-{number}"
    job = job_record(
        job_id=f"{number:012x}",
        name=name,
        arn=f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}",
        region=rng.choice(["us-east-1", "us-east-1", "eu-west-1"]),
        secondary_status=status,
        creation_time=float(rng.randrange(5)),
        last_modified_time=float(rng.randrange(5, 10)),
    )
    with jobs.database.transaction() as tx:
        jobs.insert(tx, job, {})
    return job


def pages(jobs: TrainingJobs, params: dict[str, Any]) -> Iterator[list[TrainingJob]]:
    token = None
    while True:
        found, token = list_page(jobs.database, "us-east-1", {**params, **({"NextToken": token} if token else {})})
        yield found
        if token is None:
            return


def test_every_order_and_filter_is_as_a_naive_listing_has_it(jobs: TrainingJobs) -> None:
    rng = random.Random(7)
    known = [insert(jobs, number, rng) for number in range(60)]
    moment = datetime.fromtimestamp(2, UTC)
    filters: list[dict[str, Any]] = [
        {},
        {"StatusEquals": "Completed"},
        {"NameContains": "alpha"},
        {"CreationTimeAfter": moment, "StatusEquals": "InProgress"},
        {"CreationTimeBefore": moment, "NameContains": "BETA"},
    ]
    for sort_by, order, chosen in product(_KEYS, ("Ascending", "Descending"), filters):
        found = pages(jobs, {"SortBy": sort_by, "SortOrder": order, "MaxResults": 7, **chosen})
        wanted = [
            job
            for job in known
            if job.region == "us-east-1"
            and chosen.get("NameContains", "").lower() in job.name.lower()
            and chosen.get("StatusEquals", job.status.value) == job.status.value
            and ("CreationTimeAfter" not in chosen or job.creation_time > 2)
            and ("CreationTimeBefore" not in chosen or job.creation_time < 2)
        ]
        wanted.sort(key=_KEYS[sort_by], reverse=order == "Descending")
        assert [job.name for page in found for job in page] == [job.name for job in wanted], (sort_by, order, chosen)


def test_the_default_is_the_oldest_first(jobs: TrainingJobs) -> None:
    rng = random.Random(1)
    known = [insert(jobs, number, rng) for number in range(8)]
    [page] = pages(jobs, {})
    own = [job for job in known if job.region == "us-east-1"]
    assert [job.name for job in page] == [job.name for job in sorted(own, key=_KEYS["CreationTime"])]


def test_pages_go_on_behind_a_job_that_was_deleted(jobs: TrainingJobs) -> None:
    rng = random.Random(3)
    known = [insert(jobs, number, rng) for number in range(40)]
    seen: list[str] = []
    for page in pages(jobs, {"SortBy": "Name", "MaxResults": 5}):
        seen += [job.name for job in page]
        with jobs.database.transaction() as tx:
            jobs.delete(tx, page[-1])
            jobs.delete(tx, page[0])
    assert seen == sorted(job.name for job in known if job.region == "us-east-1")
