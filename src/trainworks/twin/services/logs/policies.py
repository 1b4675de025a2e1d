"""What Logs stores and does not act upon here: resource policies, destinations, definitions of queries."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from trainworks.twin.ports import ApiError
from trainworks.twin.services.logs.blocks import SQL
from trainworks.twin.services.logs.request import Requests, invalid, missing, name_of_identifier, refuse_token, scope_of
from trainworks.twin.wire import Call, Operation, recorded

ACCOUNT_POLICY, _GROUP_POLICY, _DESTINATION, _DEFINITION = "policy", "group policy", "destination", "definition"
_MOST_POLICIES = 10
_NOTE = "Stored and described; services of the twin write into log groups without it."


class Policies:
    """The recorded operations."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._store = requests.store

    def operations(self) -> Mapping[str, Operation]:
        return {
            "PutResourcePolicy": recorded(self.put_resource_policy, _NOTE),
            "DescribeResourcePolicies": recorded(self.describe_resource_policies, _NOTE),
            "DeleteResourcePolicy": recorded(self.delete_resource_policy, _NOTE),
            "PutDestination": recorded(self.put_destination, "Nothing is delivered.", refused_members=("tags",)),
            "PutDestinationPolicy": recorded(self.put_destination_policy),
            "DescribeDestinations": recorded(self.describe_destinations),
            "DeleteDestination": recorded(self.delete_destination),
            "PutQueryDefinition": recorded(self.put_query_definition, refused_members=("parameters",)),
            "DescribeQueryDefinitions": recorded(self.describe_query_definitions),
            "DeleteQueryDefinition": recorded(self.delete_query_definition),
        }

    # -- resource policies --------------------------------------------------------------------------------------------

    def put_resource_policy(self, call: Call) -> dict[str, Any]:
        """Raises `LimitExceededException` for an eleventh policy of an account."""
        self._requests.authorize(call, "")
        kind, name = self._policy_target(call)
        document = call.params.get("policyDocument")
        if document is None:
            raise invalid("policyDocument is required.")
        _check_policy(document)
        with self._store.deciding():
            existing = self._read(call, kind, name)
            expected = call.params.get("expectedRevisionId")
            if expected is not None and (existing is None or existing["revisionId"] != expected):
                raise ApiError("OperationAbortedException", "The revision id does not match the latest revision id.")
            if existing is None and kind == ACCOUNT_POLICY and len(self._all(call, kind)) >= _MOST_POLICIES:
                raise ApiError(
                    "LimitExceededException",
                    f"Resource limit exceeded. An account can have at most {_MOST_POLICIES} resource policies.",
                )
            policy = {
                "policyDocument": document,
                "lastUpdatedTime": self._store.now_ms(),
                "policyScope": "ACCOUNT" if kind == ACCOUNT_POLICY else "RESOURCE",
                "revisionId": uuid.uuid4().hex,
            }
            policy |= {"policyName": name} if kind == ACCOUNT_POLICY else {"resourceArn": call.params["resourceArn"]}
            self._write(call, kind, name, policy)
        return {"resourcePolicy": policy, "revisionId": policy["revisionId"]}

    def describe_resource_policies(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        refuse_token(call)
        arn = call.params.get("resourceArn")
        by_group = arn is not None or call.params.get("policyScope") == "RESOURCE"
        policies = self._all(call, _GROUP_POLICY if by_group else ACCOUNT_POLICY)
        return {"resourcePolicies": [each for each in policies if arn in (None, each.get("resourceArn"))]}

    def delete_resource_policy(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        kind, name = self._policy_target(call)
        if not self._remove(call, kind, name):
            raise ApiError("ResourceNotFoundException", f"Policy with name [{name}] does not exist.")
        return {}

    def _policy_target(self, call: Call) -> tuple[str, str]:
        name, arn = call.params.get("policyName"), call.params.get("resourceArn")
        if arn is not None:
            group = name_of_identifier(arn, call.caller)
            self._requests.existing_group(call.caller, group)
            return _GROUP_POLICY, group
        if not name:
            raise invalid(f"{call.operation} request must contain policy name or resource arn.")
        return ACCOUNT_POLICY, name

    # -- destinations -------------------------------------------------------------------------------------------------

    def put_destination(self, call: Call) -> dict[str, Any]:
        name = call.params["destinationName"]
        arn = f"arn:aws:logs:{call.caller.region}:{call.caller.account_id}:destination:{name}"
        self._requests.authorize_arn(call, arn)
        with self._store.deciding():
            existing = self._read(call, _DESTINATION, name) or {}
            destination = {
                "destinationName": name,
                "targetArn": call.params["targetArn"],
                "roleArn": call.params["roleArn"],
                "arn": arn,
                "creationTime": existing.get("creationTime", self._store.now_ms()),
            }
            if "accessPolicy" in existing:
                destination["accessPolicy"] = existing["accessPolicy"]
            self._write(call, _DESTINATION, name, destination)
        return {"destination": destination}

    def put_destination_policy(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        _check_policy(call.params["accessPolicy"])
        with self._store.deciding():
            destination = self._read(call, _DESTINATION, call.params["destinationName"])
            if destination is None:
                raise missing("destination")
            destination["accessPolicy"] = call.params["accessPolicy"]
            self._write(call, _DESTINATION, destination["destinationName"], destination)
        return {}

    def describe_destinations(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        refuse_token(call)
        prefix = call.params.get("DestinationNamePrefix", "")
        found = [each for each in self._all(call, _DESTINATION) if each["destinationName"].startswith(prefix)]
        return {"destinations": found}

    def delete_destination(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        if not self._remove(call, _DESTINATION, call.params["destinationName"]):
            raise missing("destination")
        return {}

    # -- definitions of queries ---------------------------------------------------------------------------------------

    def put_query_definition(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        with self._store.deciding():
            definition_id = call.params.get("queryDefinitionId")
            if definition_id is not None and self._read(call, _DEFINITION, definition_id) is None:
                raise missing("query definition")
            definition_id = definition_id or str(uuid.uuid4())
            definition = {
                "queryDefinitionId": definition_id,
                "name": call.params["name"],
                "queryString": call.params["queryString"],
                "logGroupNames": call.params.get("logGroupNames", []),
                "lastModified": self._store.now_ms(),
            }
            self._write(call, _DEFINITION, definition_id, definition)
        return {"queryDefinitionId": definition_id}

    def describe_query_definitions(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        refuse_token(call)
        prefix = call.params.get("queryDefinitionNamePrefix", "")
        return {"queryDefinitions": [each for each in self._all(call, _DEFINITION) if each["name"].startswith(prefix)]}

    def delete_query_definition(self, call: Call) -> dict[str, Any]:
        self._requests.authorize(call, "")
        if not self._remove(call, _DEFINITION, call.params["queryDefinitionId"]):
            raise missing("query definition")
        return {"success": True}

    # -- rows ---------------------------------------------------------------------------------------------------------

    def _read(self, call: Call, kind: str, name: str) -> dict[str, Any] | None:
        row = self._store.database.read_one(SQL["record"], (*scope_of(call.caller), kind, name))
        document: dict[str, Any] | None = json.loads(row["document"]) if row is not None else None
        return document

    def _all(self, call: Call, kind: str) -> list[dict[str, Any]]:
        rows = self._store.database.read(SQL["records"], (*scope_of(call.caller), kind))
        return [json.loads(row["document"]) for row in rows]

    def _write(self, call: Call, kind: str, name: str, document: Mapping[str, Any]) -> None:
        self._store.put_record(scope_of(call.caller), kind, name, document)

    def _remove(self, call: Call, kind: str, name: str) -> bool:
        with self._store.database.transaction() as tx:
            return tx.execute(SQL["delete_record"], (*scope_of(call.caller), kind, name)).rowcount == 1


def _check_policy(document: str) -> None:
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict) or "Statement" not in parsed:
        raise invalid(f"The policy document is not valid: {document[:200]}")
