"""Finds ids of resources in values and texts, and writes them so that people know what is meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cached_property
from typing import Generic, TypeVar

from trainworks.assembly.physical_ids import TOKEN, ResourceIdentity

R = TypeVar("R", bound=Hashable)

_EDGE = r"[A-Za-z0-9._-]"
_SHORTEST_NAME = 3


class Mentions(Generic[R]):
    """Knows the identities of all resources of a graph."""

    def __init__(self, identities: Mapping[R, ResourceIdentity]) -> None:
        self._identities = identities
        self._by_token = {each.token: resource for resource, each in identities.items()}
        self._exact: dict[str, R] = {}
        self._known_values: dict[R, list[tuple[str, str]]] = {}
        self._named: dict[str, R] = {}
        for resource, each in identities.items():
            for value in (each.arn, each.ref):
                self._exact.setdefault(value, resource)
            if each.token not in each.name:
                self._exact.setdefault(each.name, resource)
                self._named.setdefault(each.arn, resource)
                if len(each.name) >= _SHORTEST_NAME:
                    self._named.setdefault(each.name, resource)

    @cached_property
    def _explicit(self) -> re.Pattern[str] | None:
        """Any explicit name as a part between delimiters, the longest first."""
        if not self._named:
            return None
        names = "|".join(re.escape(name) for name in sorted(self._named, key=len, reverse=True))
        return re.compile(rf"(?<!{_EDGE})(?:{names})(?!{_EDGE})")

    def owner(self, value: object) -> R | None:
        """The resource that has exactly this id, name, ARN or attribute."""
        if not isinstance(value, str):
            return None
        if value in self._exact:
            return self._exact[value]
        token = TOKEN.search(value)
        resource = self._by_token.get(token[0]) if token else None
        if resource is None:
            return None
        # An attribute that is neither id nor ARN: made up of the token and nothing that holds another resource.
        identity = self._identities[resource]
        known = {identity.attribute(name) for name in identity.naming.attributes or ()} | {identity.name}
        return resource if value in known or value == _group_arn(identity) or _is_attribute(value, token) else None

    def inside(self, text: object) -> tuple[R, ...]:
        """Every resource that `text` mentions, in the order in which it does."""
        if not isinstance(text, str):
            return ()
        explicit = self._explicit.finditer(text) if self._explicit else ()
        if "tw" not in text:
            return tuple(dict.fromkeys(self._named[match[0]] for match in explicit))
        found = [(m.start(), self._by_token[m[0]]) for m in TOKEN.finditer(text) if m[0] in self._by_token]
        found += [(m.start(), self._named[m[0]]) for m in explicit]
        return tuple(dict.fromkeys(resource for _, resource in sorted(found, key=_position)))

    def found(self, text: str) -> Iterator[tuple[R, str]]:
        """Every resource that `text` mentions, with the attribute whose value stands there."""
        for resource in self.inside(text):
            yield resource, self._attribute(resource, text)

    def shown(self, text: str, name: Callable[[R], str]) -> str:
        """`text` with made-up ids written as `${name}` or `${name.Attribute}`."""
        for resource in {self._by_token[t] for t in TOKEN.findall(text) if t in self._by_token}:
            for value, attribute in self._values(resource):
                written = name(resource) if attribute == "Ref" else f"{name(resource)}.{attribute}"
                text = text.replace(value, f"${{{written}}}")
        return text

    def _attribute(self, resource: R, text: str) -> str:
        return next((attribute for value, attribute in self._values(resource) if value in text), "Ref")

    def _values(self, resource: R) -> list[tuple[str, str]]:
        """Known values of a resource's attributes, the longest first, so that an ARN is found before the name in it."""
        if resource in self._known_values:
            return self._known_values[resource]
        identity = self._identities[resource]
        naming = identity.naming
        values = {identity.ref: "Ref"}
        values.setdefault(identity.arn, naming.arn_attributes[0] if naming.arn_attributes else "Arn")
        for attribute in naming.attributes or ():
            values.setdefault(identity.attribute(attribute), attribute)
        values.setdefault(identity.name, "Name")
        self._known_values[resource] = sorted(values.items(), key=lambda each: len(each[0]), reverse=True)
        return self._known_values[resource]


def _position(each: tuple[int, object]) -> int:
    return each[0]


def _group_arn(identity: ResourceIdentity) -> str:
    """The ARN of a log group without the `:*` that stands for its streams."""
    return identity.arn.removesuffix(":*")


def _is_attribute(value: str, token: re.Match[str] | None) -> bool:
    return (
        token is not None
        and value.endswith(token[0])
        and re.fullmatch(r"[a-z0-9-]*", value[: token.start()]) is not None
    )
