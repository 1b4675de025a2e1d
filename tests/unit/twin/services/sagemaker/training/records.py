"""A training job record for unit tests."""

from __future__ import annotations

from typing import Any

from tests.unit.twin.services.sagemaker.doubles import ADA, ROLE, request
from trainworks.states.training_job import SecondaryStatus
from trainworks.twin.ports import Credentials
from trainworks.twin.services.sagemaker.training.records import TrainingJob


def job(members: dict[str, Any] | None = None, **fields: Any) -> TrainingJob:
    """A job of `request(**members)`, in Starting unless `fields` say otherwise."""
    given: dict[str, Any] = {
        "job_id": "abc",
        "arn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/job-1",
        "name": "job-1",
        "region": "us-east-1",
        "account_id": "000000000000",
        "request": request(**(members or {})),
        "creator": ADA.arn,
        "credentials": Credentials("ASIAROLE", "secret", "token", 0.0, ROLE),
        "secondary_status": SecondaryStatus.STARTING,
        "creation_time": 1000.0,
        "last_modified_time": 1000.0,
    }
    return TrainingJob(**{**given, **fields})
