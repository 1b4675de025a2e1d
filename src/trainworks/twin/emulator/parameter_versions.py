"""Versions of SSM parameters: a row each, the newest hundred of a parameter, read a page at a time.

Stock keeps all versions of a parameter in one row. After "Working with parameter versions" and "Working with parameter
labels" (Systems Manager User Guide): the oldest version goes when the 101st comes, unless it has a label.
"""

from __future__ import annotations

import json
import re
from typing import Any

from trainworks.twin.emulator import engine
from trainworks.twin.emulator.durable.histories import Histories, OldEntry, page_number, page_token
from trainworks.twin.emulator.durable.history_lists import Entries, Lists
from trainworks.twin.emulator.stock import StockResponse

MOST_VERSIONS = 100
MOST_LABELS = 10
_STORE = "ssm._parameter_history"
_PAGE = 50
_LABEL = re.compile(r"(?!aws|ssm|[0-9])[A-Za-z0-9_.-]{1,100}", re.IGNORECASE)


def install(ssm: Any, histories: Histories) -> None:
    """SSM was loaded."""
    _Versions(ssm, histories).install()


class _Versions:
    """Replaces what ministack does with the versions of parameters."""

    def __init__(self, ssm: Any, histories: Histories) -> None:
        self._ssm = ssm
        self._history = histories.open(_STORE)
        self._lists = Lists(self._history, lambda name: _owner(*engine.scope(), name), _version)

    def install(self) -> None:
        ssm = self._ssm
        self._bring_in()
        ssm._parameter_history = self._lists
        self._stock_put, self._stock_history = ssm._put_parameter, ssm._get_parameter_history
        ssm._put_parameter = self.put
        ssm._get_parameter_history = self.get_history
        ssm._label_parameter_version = self.label
        self._stock_select = ssm._select_parameter
        ssm._select_parameter = self.select

    def put(self, data: dict[str, Any]) -> StockResponse:
        """The oldest version is deleted to make room; if it has a label, it stays and no new version is accepted."""
        name = data.get("Name")
        versions = self._lists.entries(name)
        oldest = versions.page(1)[0] if len(versions) >= MOST_VERSIONS else None
        if oldest is not None and data.get("Overwrite") and oldest[1].get("Labels"):
            return self._error(
                "ParameterMaxVersionLimitExceeded",
                f"You attempted to create a new version of {name} by calling the PutParameter API with the overwrite "
                f"flag. Version {oldest[1]['Version']}, the oldest version, can't be deleted because it has a label "
                "associated with it. Move the label to another version of the parameter, and try again.",
            )
        answer: StockResponse = self._stock_put(data)
        if answer[0] == 200 and oldest is not None:
            self._history.remove(oldest[0])
        return answer

    def select(self, name_or_arn: str) -> tuple[Any, str | None]:
        """A version by its number, as everybody who names one does, without reading the others."""
        base, selector = self._ssm._split_selector(name_or_arn)
        if selector is None or not selector.isdecimal():
            found: tuple[Any, str | None] = self._stock_select(name_or_arn)
            return found
        name, parameter = self._ssm._lookup_parameter(base)
        if not parameter:
            return None, "ParameterNotFound"
        version = self._lists.entries(name).page(1, subject=str(int(selector)))
        if not version:
            return None, "ParameterVersionNotFound"
        mine = {"Name": parameter["Name"], "ARN": parameter["ARN"], "Selector": f":{selector}"}
        return version[0][1] | mine, None

    def get_history(self, data: dict[str, Any]) -> StockResponse:
        """Oldest first. A page begins at a version, so that one that goes meanwhile moves nothing."""
        name, limit = data.get("Name"), data.get("MaxResults", _PAGE)
        if not isinstance(limit, int) or not 1 <= limit <= _PAGE:
            return self._error("ValidationException", f"MaxResults is {limit}; it has to be from 1 to {_PAGE}.")
        place = page_number(data["NextToken"]) if data.get("NextToken") else 0
        if place is None:
            return self._error("InvalidNextToken", "The specified token isn't valid.")
        if name not in self._lists:
            return self._error("ParameterNotFound", f"Parameter {name} not found")
        page = self._lists.entries(name).page(limit + 1, low=place)
        with self._lists.showing(name, [entry for _, entry in page[:limit]]):
            status, headers, body = self._stock_history({**data, "NextToken": None})
        if len(page) > limit:
            body = json.dumps(json.loads(body) | {"NextToken": page_token(page[limit][0])}).encode()
        return status, headers, body

    def label(self, data: dict[str, Any]) -> StockResponse:
        """A label belongs to one version: it moves there from another."""
        name, labels = data.get("Name"), list(dict.fromkeys(data.get("Labels", [])))
        if name not in self._lists:
            return self._error("ParameterNotFound", f"Parameter {name} not found")
        parameter = self._ssm._parameters[name]
        version = data.get("ParameterVersion") or parameter["Version"]
        versions = self._lists.entries(name)
        held = {number: list(entry.get("Labels", [])) for number, entry in versions.numbered()}
        target = versions.page(1, subject=str(version))
        if not target:
            return self._error("ParameterVersionNotFound", f"Version {version} of parameter {name} not found")
        valid = [each for each in labels if _LABEL.fullmatch(each)]
        there = target[0][0]
        if len({*held[there], *valid}) > MOST_LABELS:
            return self._error(
                "ParameterVersionLabelLimitExceeded",
                f"Version {version} of parameter {name} has {len(held[there])} labels; it can have {MOST_LABELS}.",
            )
        wanted = {number: [each for each in old if each not in valid] for number, old in held.items()}
        wanted[there] = [*held[there], *(each for each in valid if each not in held[there])]
        self._relabel(versions, held, wanted, parameter)
        invalid = [each for each in labels if each not in valid]
        answer: StockResponse = self._ssm.json_response({"InvalidLabels": invalid, "ParameterVersion": version})
        return answer

    def _relabel(
        self, versions: Entries, held: dict[int, list[str]], wanted: dict[int, list[str]], parameter: dict[str, Any]
    ) -> None:
        for number, entry in list(versions.numbered()):
            if wanted[number] != held[number]:
                versions.replace(number, entry | {"Labels": wanted[number]})
                if entry["Version"] == parameter["Version"]:
                    parameter["Labels"] = wanted[number]

    def _bring_in(self) -> None:
        """What an earlier version kept in one row for each parameter; of more than a hundred versions, the newest."""
        old = self._ssm._parameter_history._data
        entries = [
            OldEntry(_owner(account, region, name), _version(entry), entry, float(entry["LastModifiedDate"]))
            for (account, region, name), listed in dict.items(old)
            for entry in listed[-MOST_VERSIONS:]
        ]
        if entries:
            self._history.bring_in(entries, {_STORE: None})
        old.forget()

    def _error(self, code: str, message: str) -> StockResponse:
        answer: StockResponse = self._ssm.error_response_json(code, message, 400)
        return answer


def _version(entry: dict[str, Any]) -> str:
    return str(entry["Version"])


def _owner(account: str, region: str, name: Any) -> str:
    return f"{account}/{region}/{name}"
