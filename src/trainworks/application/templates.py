"""The templates of an environment, synthesized, or from the cache where nothing that goes in has changed.

What is here is imported by commands that call no AWS: it is light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainworks.assembly import CloudAssembly, SynthRequest, synthesize, user_cache_dir
from trainworks.config.environment import load_environment
from trainworks.meanwhile import Meanwhile, untold

if TYPE_CHECKING:
    from trainworks.config.environment import Environment


def synthesized(environment_name: str, meanwhile: Meanwhile = untold) -> CloudAssembly:
    """The assembly that `up` would deploy. Where the environment names no account, its credentials are asked for it."""
    environment = load_environment(environment_name)
    return assembly_of(environment, environment.account or _account_of(environment), meanwhile)


def assembly_of(environment: Environment, account_id: str, meanwhile: Meanwhile = untold) -> CloudAssembly:
    """The assembly of an environment, from the user's cache where nothing that goes in has changed."""
    return synthesize(request_of(environment, account_id), user_cache_dir(), meanwhile=meanwhile)


def request_of(environment: Environment, account_id: str) -> SynthRequest:
    """What an environment's templates are synthesized from."""
    return SynthRequest(environment.environment_suffix, environment.profile, account_id, environment.region)


def _account_of(environment: Environment) -> str:
    from trainworks.application.environments import connect  # noqa: PLC0415 - the SDK is imported where AWS is asked

    return connect(environment.name)[1].account_id
