"""The platforms that the generated pages speak of: the three profiles as they ship, and the reference's templates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from trainworks.assembly import CloudAssembly, SynthRequest, synthesize, user_cache_dir
from trainworks.assembly.graph import Graph, load_graph
from trainworks.assembly.synthesizer import Synthesizer
from trainworks.config.profile import PROFILES, ProfileName

ACCOUNT, REGION = "111111111111", "us-east-1"
REFERENCE = Path(__file__).resolve().parent.parent / "tests" / "reference" / "cdk.out"


@cache
def assemblies() -> dict[ProfileName, CloudAssembly]:
    """The profiles' assemblies, each as an environment of its own that is called like it."""
    return synthesized({name: name.value for name in PROFILES})


def synthesized(suffixes: Mapping[ProfileName, str]) -> dict[ProfileName, CloudAssembly]:
    """Assemblies of profiles, from the user's cache where they are there; one process synthesizes the others."""
    with Synthesizer() as synthesizer:
        return {
            name: synthesize(
                SynthRequest(suffix, PROFILES[name], ACCOUNT, REGION), user_cache_dir(), synthesizer.synthesize
            )
            for name, suffix in suffixes.items()
        }


@cache
def graphs() -> dict[str, Graph]:
    """The resolved graphs of `dev`, `staging`, `prod` and `reference`."""
    ours = {name.value: load_graph(assembly.directory) for name, assembly in assemblies().items()}
    return {**ours, "reference": load_graph(REFERENCE, account=ACCOUNT, region=REGION)}
