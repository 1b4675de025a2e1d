"""What a deploy changes of the monthly cost: the deployed templates and the new ones, both counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainworks.application.environments import account_of
from trainworks.application.templates import assembly_of
from trainworks.assembly.graph import build, load_graph
from trainworks.assembly.template_files import Sources, StackSource
from trainworks.cost.changes import compare
from trainworks.cost.idle import idle_cost
from trainworks.cost.price_files import load_prices
from trainworks.deploy.deployed import read_deployed

if TYPE_CHECKING:
    from trainworks.assembly import CloudAssembly
    from trainworks.assembly.graph import Graph
    from trainworks.config.environment import Environment
    from trainworks.cost.changes import CostChanges
    from trainworks.deploy.clients import Clients


def monthly_changes(environment: Environment, clients: Clients) -> CostChanges:
    """The change of the idle cost from what is deployed to what `up` would deploy, at list prices."""
    account = account_of(environment, clients)
    assembly = assembly_of(environment, account)
    prices = load_prices(environment.region)
    deployed = _deployed_graph(environment, clients, assembly, account)
    new = load_graph(assembly.directory, account=account, region=environment.region)
    return compare(None if deployed is None else idle_cost(deployed, prices), idle_cost(new, prices))


def _deployed_graph(environment: Environment, clients: Clients, assembly: CloudAssembly, account: str) -> Graph | None:
    """What is deployed, as a graph; resources have the construct paths of `assembly` where they are in it too."""
    deployed = read_deployed(clients.cloudformation, environment.stack_name)
    if deployed is None:
        return None
    source = StackSource(environment.stack_name, dict(deployed.templates), assembly.construct_paths)
    return build(Sources((source,)), account=account, region=environment.region, parameters=deployed.parameters)
