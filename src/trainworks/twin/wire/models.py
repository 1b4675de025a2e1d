"""botocore's service models, loaded once a process."""

from __future__ import annotations

from functools import cache

from botocore import __version__ as botocore_version
from botocore.loaders import Loader
from botocore.model import ServiceModel

MODEL_VERSION = f"botocore {botocore_version}"
"""Where the shapes come from, for messages."""


@cache
def service_model(service_name: str) -> ServiceModel:
    """The newest model of a service that botocore ships (about 50 ms for a large one, then nothing)."""
    return ServiceModel(Loader().load_service_model(service_name, "service-2"), service_name)
