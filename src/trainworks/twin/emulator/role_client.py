"""A client of the twin's own API with a role's session: how services act as the role that they were given."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.config import Config

from trainworks.twin.ports import Credentials


def role_client(endpoint_url: str, service: str, region: str, credentials: Credentials, *, retries: Any) -> Any:
    """A botocore client; `retries` is that member of botocore's `Config`."""
    return botocore.session.Session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        config=Config(retries=retries, s3={"addressing_style": "path"}),
    )
