"""Names of jobs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainworks.errors import RequestError
from trainworks.jobs.names import checked_name, job_name


@given(st.from_regex(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,20}", fullmatch=True).filter(lambda base: len(base) <= 40))
def test_a_made_name_is_allowed(base: str) -> None:
    assert checked_name(job_name(base)).startswith(base)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a_b", "a" * 64, "ä", "a\n"])
def test_a_name_that_aws_does_not_allow_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="is not allowed"):
        checked_name(name)
