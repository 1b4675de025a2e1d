"""Reserved concurrency: what a function may reserve of its account.

Stock accepts any number. After "Configuring reserved concurrency for a function": an account has 1,000 concurrent
executions at first, of which 100 are left to functions that reserve none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ACCOUNT_EXECUTIONS = 1000
_LEAST_UNRESERVED = 100


def install(lambda_svc: Any) -> None:
    """Lambda was loaded."""
    # What `GetAccountSettings` tells, and what is reserved of.
    lambda_svc._ACCOUNT_CONCURRENCY_CAP = ACCOUNT_EXECUTIONS
    stock = lambda_svc._put_function_concurrency

    def put(name: str, data: Mapping[str, Any]) -> Any:
        function, wanted = lambda_svc._functions.get(name), int(data.get("ReservedConcurrentExecutions") or 0)
        if function is None:
            return stock(name, data)
        problem = ""
        others = sum(
            int(each.get("concurrency") or 0) for other, each in lambda_svc._functions.items() if other != name
        )
        provisioned = total_provisioned(function)
        if others + wanted > ACCOUNT_EXECUTIONS - _LEAST_UNRESERVED:
            problem = (
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{_LEAST_UNRESERVED}]."
            )
        elif wanted and wanted < provisioned:
            problem = (
                f"ReservedConcurrentExecutions [{wanted}] must not be lower than the function's total provisioned "
                f"concurrency [{provisioned}]."
            )
        if problem:
            return lambda_svc.error_response_json("InvalidParameterValueException", problem, 400)
        return stock(name, data)

    lambda_svc._put_function_concurrency = put


def total_provisioned(function: Mapping[str, Any]) -> int:
    """How many environments are provisioned for all versions and aliases of a function."""
    configs = function.get("provisioned_concurrency") or {}
    return sum(int(each["RequestedProvisionedConcurrentExecutions"]) for each in configs.values())
