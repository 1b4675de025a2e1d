"""The variables that SageMaker sets in each of its containers, whatever it runs."""

from __future__ import annotations

from trainworks.twin.ports import Credentials


def platform_variables(
    region: str, credentials: Credentials, endpoint_url: str, *, is_isolated: bool
) -> dict[str, str]:
    """Region, credentials and the address of the AWS API, which is the twin.

    An isolated container has no credentials, as on AWS, and could reach nothing with them.
    """
    variables = {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "UTF-8",
    }
    if is_isolated:
        return variables
    reached = {"AWS_ENDPOINT_URL": endpoint_url, "AWS_EC2_METADATA_DISABLED": "true"}
    return variables | credentials.variables | reached
