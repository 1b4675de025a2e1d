"""Circles among the resources of one template, which CloudFormation refuses to deploy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_SUB = re.compile(r"\$\{(?!!)([A-Za-z0-9]+)")


def cycles(resources: Mapping[str, Any]) -> list[list[str]]:
    """Each circle as logical ids in the order of their references, starting with the first in the template."""
    named = {logical_id: _needs(body, resources) for logical_id, body in resources.items()}
    needs = {logical_id: names - {logical_id} for logical_id, names in named.items()}
    found = [_ordered(component, needs) for component in _components(needs) if len(component) > 1]
    found += [[logical_id] for logical_id, names in named.items() if logical_id in names]
    return found


def _needs(body: Any, resources: Mapping[str, Any]) -> set[str]:
    if not isinstance(body, Mapping):
        return set()
    depends_on = body.get("DependsOn", [])
    named = set(depends_on if isinstance(depends_on, list) else [depends_on])
    named.update(mentioned(body.get("Properties", {})))
    return {name for name in named if isinstance(name, str) and name in resources}


def mentioned(value: Any) -> Iterator[str]:
    """Logical ids (and names of parameters) in a raw value."""
    if isinstance(value, list):
        for each in value:
            yield from mentioned(each)
    elif isinstance(value, dict):
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" and isinstance(argument, str):
                yield argument
            elif name == "Fn::GetAtt" and argument:
                first = argument[0] if isinstance(argument, list) else argument
                yield str(first).partition(".")[0]
            elif name == "Fn::Sub":
                text, *given = argument if isinstance(argument, list) and argument else [argument]
                own = given[0] if given and isinstance(given[0], dict) else {}
                yield from (found for found in _SUB.findall(str(text)) if found not in own)
        for each in value.values():
            yield from mentioned(each)


def _components(needs: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components, after Tarjan, without recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in needs:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(sorted(needs[root])))]
        while work:
            node, following = work[-1]
            for child in following:
                if child not in index:
                    index[child] = low[child] = len(index)
                    stack.append(child)
                    on_stack.add(child)
                    work.append((child, iter(sorted(needs[child]))))
                    break
                if child in on_stack:
                    low[node] = min(low[node], index[child])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component: list[str] = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                    found.append(component)
    return found


def _ordered(component: list[str], needs: Mapping[str, set[str]]) -> list[str]:
    """The shortest way from the first member back to itself; each member of a component is on such a way."""
    members, start = set(component), min(component)
    ways = [[start]]
    seen: set[str] = set()
    while True:
        longer = []
        for way in ways:
            for following in sorted(needs[way[-1]] & members):
                if following == start:
                    return way
                if following not in seen:
                    seen.add(following)
                    longer.append([*way, following])
        ways = longer
