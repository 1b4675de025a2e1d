"""What is checked, counted and compared: the templates of an environment, or anybody's, resolved into a graph.

No service is asked: templates are read without credentials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from trainworks.application.templates import assembly_of, request_of
from trainworks.assembly import SynthRequest
from trainworks.assembly.graph import ANY_ACCOUNT, Graph, build, load_graph
from trainworks.assembly.template_files import load_sources, merged
from trainworks.assembly.template_parameters import refuse_wrong_parameters
from trainworks.config.aws_names import check_region
from trainworks.config.constraints import NotAllowedError
from trainworks.config.environment import Environment, load_environment
from trainworks.errors import RequestError
from trainworks.meanwhile import Meanwhile, untold

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class EnvironmentGraph:
    """The templates of an environment, as `up` would deploy them. `account` is a stand-in where it names none."""

    environment: Environment
    account: str
    graph: Graph

    @property
    def request(self) -> SynthRequest:
        """What the templates were synthesized from."""
        return request_of(self.environment, self.account)


def graph_of_environment(
    environment_name: str, region: str | None = None, meanwhile: Meanwhile = untold
) -> EnvironmentGraph:
    """The templates of an environment, for another region than its own if one is given. Raises `ConfigurationError`."""
    environment = load_environment(environment_name)
    if region is not None:
        environment = replace(environment, region=region)
    account = environment.account or ANY_ACCOUNT
    assembly = assembly_of(environment, account, meanwhile)
    return EnvironmentGraph(
        environment, account, load_graph(assembly.directory, account=account, region=environment.region)
    )


def graph_of_templates(
    paths: Sequence[Path], region: str | None = None, parameters: Mapping[str, str] = _NONE
) -> Graph:
    """Anybody's templates and folders of assemblies as one graph. Raises `RequestError` for a path that is neither."""
    if region is not None:
        refuse_unknown_region(region)
    sources = merged([load_sources(path) for path in paths])
    refuse_wrong_parameters(sources, parameters)
    return build(sources, region=region, parameters=parameters)


def refuse_unknown_region(region: str) -> None:
    """Raises `RequestError` for what is not a region of AWS."""
    try:
        check_region(region)
    except NotAllowedError as error:
        raise RequestError(f"the region {error}", fix=error.fix) from error
