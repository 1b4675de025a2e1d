"""What CloudFormation refuses at the request: templates and parameters are looked at before anything is made.

    request -> Texts.handle: read and parsed in a thread, bounded -> stock handler
                                -> _resolve_parameters, _evaluate_conditions, validate_template_support: ours

The checks are those of `trainworks check` (`assembly.template_check`), over the same schemas. Stock finds a few of
these faults, evaluates conditions without most functions and reads templates on the event loop, where eight lines of
aliases stop the server.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

from trainworks.assembly.flaw import Flaw, refusal_of
from trainworks.assembly.parameter_values import SSM_VALUE, name_refusals, text, value_refusal
from trainworks.assembly.places import Places
from trainworks.assembly.resolver import Exports, Scope, StackFacts
from trainworks.assembly.schemas import is_aws_type, schema
from trainworks.assembly.template_check import template_flaws
from trainworks.assembly.template_form import form_flaws, size_flaws
from trainworks.assembly.template_text import TemplateTextError, parse_template
from trainworks.aws.partition import partition_of
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.cloudformation import type_changes
from trainworks.twin.emulator.stock import StockResponse
from trainworks.twin.linear_regex import UnsupportedPatternError, compile_linear

Parameters = dict[str, Any]

_WITH_TEMPLATE = frozenset({"CreateStack", "UpdateStack", "CreateChangeSet", "ValidateTemplate", "GetTemplateSummary"})
_MODULES = ("engine", "handlers", "changesets", "stacks")
_SERVERLESS = "AWS::Serverless"
_PATTERN_SECONDS = 2.0
_MATCHER = "import re, sys; sys.exit(0 if re.fullmatch(sys.argv[1], sys.argv[2]) else 1)"

_read: ContextVar[Mapping[str, object]] = ContextVar("templates that this request's thread has read", default={})  # noqa: B039


class TemplateError(ValueError):
    """A template or a value that CloudFormation refuses; the text is its answer."""


def install(cloudformation: ModuleType) -> None:
    """CloudFormation was loaded: put the checks in the place of stock's."""
    stock = engine.module("services.cloudformation.engine")
    ours: dict[str, Callable[..., Any]] = {
        "_parse_template": _parsed,
        "_resolve_parameters": _parameters(stock._resolve_parameters),
        "_evaluate_conditions": evaluate_conditions,
        "_apply_transforms": _transforms(stock._apply_transforms),
        "validate_template_support": _validator(stock.validate_template_support),
        # An unchanged template is not an update, whatever its dynamic references would give by now.
        "_has_dynamic_references": lambda template: False,
        "_unknown_attribute_message": _lacking(stock._unknown_attribute_message),
    }
    for name in _MODULES:
        module = engine.module(f"services.cloudformation.{name}")
        for function, replacement in ours.items():
            if hasattr(module, function):
                setattr(module, function, replacement)
    handler: Any = cloudformation
    handler.handle_request = _reading_first(handler.handle_request)


# -- the text ---------------------------------------------------------------------------------------------------------


def _reading_first(stock: Callable[..., Awaitable[StockResponse]]) -> Callable[..., Awaitable[StockResponse]]:
    """A request's template is read in a thread, and refused there if it is not a template."""

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: Parameters
    ) -> StockResponse:
        refused, read = await asyncio.to_thread(_read_template, headers, body, query_params)
        if refused:
            answer: StockResponse = engine.module("services.cloudformation.helpers")._error("ValidationError", refused)
            return answer
        token = _read.set(read)
        try:
            return await stock(method, path, headers, body, query_params)
        finally:
            _read.reset(token)

    return handle_request


def _read_template(headers: Mapping[str, str], body: bytes, query: Parameters) -> tuple[str, Mapping[str, object]]:
    """(why the template is refused, or nothing; what its text says)."""
    form = dict(query)
    if "amz-json" not in headers.get("content-type", ""):
        form |= parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    helpers = engine.module("services.cloudformation.helpers")
    if helpers._p(form, "Action") not in _WITH_TEMPLATE:
        return "", {}
    text, error = helpers._resolve_template(form)
    if error is not None or not text:
        return "", {}  # stock says what is wrong with the request itself
    try:
        document = read_template(text)
    except TemplateError as refused:
        return str(refused), {}
    return "", {text.strip(): document}


def read_template(text: str) -> dict[str, Any]:
    """A template whose form is right. Raises `TemplateError`. Pure, so that it may run in any thread."""
    try:
        document = parse_template(text)
    except TemplateTextError as error:
        raise TemplateError(error.refusal) from error
    if not isinstance(document, dict):
        raise TemplateError("Template format error: unsupported structure.")
    _refuse([*size_flaws(document), *form_flaws(document)])
    return document


def _parsed(text: str) -> dict[str, Any]:
    """In place of stock's: what was read in the thread, or read now where nobody did."""
    document = _read.get().get(text.strip())
    return document if isinstance(document, dict) else read_template(text)


def _refuse(flaws: list[Flaw]) -> None:
    if flaws:
        raise TemplateError(refusal_of(flaws))


# -- parameters and conditions ----------------------------------------------------------------------------------------


def _parameters(stock: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Names and values are checked as the service does; then stock makes its records of them."""

    def resolve_parameters(
        template: dict[str, Any], provided: list[dict[str, Any]], previous: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        declared: Mapping[str, Mapping[str, Any]] = template.get("Parameters") or {}
        given = {each["Key"]: each for each in provided if "Key" in each}
        kept = {name for name, each in given.items() if each.get("UsePreviousValue") and name in (previous or {})}
        for refusal in name_refusals(declared, {name: each.get("Value", "") for name, each in given.items()}):
            raise TemplateError(refusal)
        for name, body in declared.items():
            if name not in kept:
                _check_value(name, body, text(given[name].get("Value", "") if name in given else body["Default"]))
        bare = {name: _without_constraints(body) for name, body in declared.items()}
        return stock({**template, "Parameters": bare}, provided, previous)

    return resolve_parameters


def _check_value(name: str, declared: Mapping[str, Any], value: str) -> None:
    kind = str(declared.get("Type", "String"))
    if kind.startswith(SSM_VALUE):
        # What is constrained is the name that is given, not what it stands for.
        if engine.service("ssm").resolve_parameter_value(value) is None:
            raise TemplateError(f"Unable to fetch parameters [{value}] from parameter store for this account.")
        kind, declared = "String", {**declared, "Type": "String"}
    refusal = value_refusal(name, declared, value, _matches)
    if refusal is not None:
        raise TemplateError(refusal)


def _without_constraints(declared: Mapping[str, Any]) -> dict[str, Any]:
    kept = {member: declared[member] for member in ("Type", "Default", "NoEcho", "Description") if member in declared}
    return kept | ({"Default": text(kept["Default"])} if "Default" in kept else {})


def _matches(pattern: str, value: str) -> bool:
    """In linear time; what needs look-around is matched by a process that has seconds for it."""
    try:
        return compile_linear(pattern).fullmatch(value) is not None
    except UnsupportedPatternError:
        pass
    try:
        re.compile(pattern)
        done = subprocess.run([sys.executable, "-ISc", _MATCHER, pattern, value], timeout=_PATTERN_SECONDS, check=False)
    except (re.error, ValueError) as error:
        raise TemplateError(f"Template format error: AllowedPattern {pattern} is not valid: {error}") from error
    except subprocess.TimeoutExpired:
        raise TemplateError(f"AllowedPattern {pattern} takes too long to be matched") from None
    return done.returncode == 0


def evaluate_conditions(template: dict[str, Any], params: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
    """In place of stock's, which knows neither pseudo parameters nor most functions."""
    account, region = engine.scope()
    scope = Scope(
        StackFacts("stack", account, region, partition_of(region), Places("stack")),
        (),
        {**template, "Parameters": _as_declared(template, params)},
        parent=None,
        parameters={name: value["Value"] for name, value in params.items()},
        problems={},
        exports=Exports(),
    )
    try:
        return {name: scope.condition(name) is True for name in template.get("Conditions") or {}}
    except RecursionError as error:
        raise TemplateError("Template error: conditions refer to one another too deeply") from error


def _as_declared(template: Mapping[str, Any], params: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The declarations, with those of values that a template of before has."""
    declared = dict(template.get("Parameters") or {})
    return declared | {name: {"Type": value.get("Type", "String")} for name, value in params.items()}


# -- the template -----------------------------------------------------------------------------------------------------


def _transforms(stock: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The transforms that the twin has (AWS::Include, AWS::LanguageExtensions); another one is refused by its name."""

    def apply_transforms(template: dict[str, Any], *arguments: Any, **keywords: Any) -> dict[str, Any]:
        stock_engine = engine.module("services.cloudformation.engine")
        for name in stock_engine.declared_transforms(template):
            if name.startswith(_SERVERLESS):
                return failed(stock_engine, template, f"trainworks does not offer the transform {name}")
        processed = stock(template, *arguments, **keywords)
        if not isinstance(processed, stock_engine._TransformFailed):
            for name in stock_engine.declared_transforms(processed):
                return failed(stock_engine, template, f"No transform named {name} found.")
        return processed

    def failed(stock_engine: Any, template: dict[str, Any], message: str) -> dict[str, Any]:
        answer: dict[str, Any] = stock_engine._TransformFailed(template, message)
        return answer

    return apply_transforms


def _validator(stock: Callable[..., None]) -> Callable[..., None]:
    def validate_template_support(
        template: dict[str, Any], conditions: Mapping[str, bool], params: dict[str, Any] | None = None
    ) -> None:
        """Raises `ValueError` with what CloudFormation answers."""
        error = getattr(template, "error", None)
        if error is not None:
            raise TemplateError(error)
        _refuse([*size_flaws(template), *template_flaws(template, conditions.get)])
        if not template.get("Transform"):
            _refuse_types(template, conditions)
        stock(template, conditions, params)
        changed = type_changes.refusal(template, conditions)
        if changed:
            raise TemplateError(changed)

    return validate_template_support


def _lacking(stock: Callable[..., str]) -> Callable[..., str]:
    """An attribute that AWS gives and the twin does not is refused in other words than one that does not exist."""

    def message(row: Mapping[str, Any], logical_id: str, attribute: str) -> str:
        type_name = str(row.get("ResourceType"))
        found = schema(type_name)
        if found is not None and found.gives(attribute):
            return f"trainworks does not offer the attribute {attribute} of {type_name}, which AWS gives"
        return stock(row, logical_id, attribute)

    return message


def _refuse_types(template: Mapping[str, Any], conditions: Mapping[str, bool]) -> None:
    """What AWS does not have is refused as AWS does it, what only the twin lacks by the twin's own name."""
    offered = engine.module("services.cloudformation.provisioners")._RESOURCE_HANDLERS
    used = {body["Type"] for body in template["Resources"].values() if conditions.get(body.get("Condition", ""), True)}
    lacking = sorted(name for name in used if name not in offered and not name.startswith("Custom::"))
    unknown = [name for name in lacking if not is_aws_type(name)]
    if unknown:
        raise TemplateError(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    if lacking:
        raise TemplateError(
            f"Resource types that AWS has and trainworks does not offer: [{', '.join(lacking)}]; "
            "see docs/reference/fidelity.md"
        )
