"""The table of kinds: jobs by what a list says of them."""

from typing import Any

import pytest

from trainworks.jobs.job import Job, JobSummary
from trainworks.jobs.kinds import KINDS, listed_job
from trainworks.states.batch_job import JobStatus


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_line_of_the_list_is_enough_for_its_job(kind: Any) -> None:
    nobody: Any = object()  # it has no clients: whoever asks fails
    job: Any = listed_job(nobody, JobSummary("a", kind.name, JobStatus.FAILED, None, None, "the-id"))
    assert isinstance(job, Job)
    assert (job.kind, job.name, getattr(job, "job_id", "the-id")) == (kind.name, "a", "the-id")
