"""Requests parsed, validated and answered from botocore's own service models.

    endpoint = Endpoint("batch", {"SubmitJob": executed(service.submit_job)}, validation_code="ClientException")
    response = endpoint.handle(method, path, headers, query, body, caller)

A handler takes a `Call` and returns the output shape as boto3 gives it; it raises `ApiError`. `page` makes a page of a
listing with an opaque `NextToken`, `read_page` one of a listing that is in a database.
"""

from trainworks.twin.wire.call import Call, Fidelity, Handler, Operation, Response, executed, recorded
from trainworks.twin.wire.endpoint import Endpoint
from trainworks.twin.wire.pagination import page, read_page

__all__ = [
    "Call",
    "Endpoint",
    "Fidelity",
    "Handler",
    "Operation",
    "Response",
    "executed",
    "page",
    "read_page",
    "recorded",
]
