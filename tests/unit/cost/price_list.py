"""A local Price List API: answers `GetProducts` over HTTP in AWS's own shape, page by page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3

TARGET = "AWSPriceListService.GetProducts"


def product(service: str, usage_type: str, unit: str, *tiers: tuple[str, str], **attributes: str) -> dict[str, Any]:
    """A product; `tiers` are (begin of the range, US dollars)."""
    sku = f"SKU{abs(hash((service, usage_type, tiers))) % 10**10}"
    dimensions = {
        f"{sku}.JRTCKXETXF.{number}": {
            "rateCode": f"{sku}.JRTCKXETXF.{number}",
            "description": f"${figure} per {unit}",
            "unit": unit,
            "beginRange": begin,
            "endRange": "Inf",
            "appliesTo": [],
            "pricePerUnit": {"USD": figure},
        }
        for number, (begin, figure) in enumerate(tiers)
    }
    term = {
        "offerTermCode": "JRTCKXETXF",
        "sku": sku,
        "effectiveDate": "2026-11-01T00:00:00Z",
        "priceDimensions": dimensions,
        "termAttributes": {},
    }
    return {
        "product": {
            "productFamily": attributes.pop("productFamily", "Any"),
            "sku": sku,
            "attributes": {"servicecode": service, "usagetype": usage_type, **attributes},
        },
        "serviceCode": service,
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": term}},
        "version": "20261101000000",
        "publicationDate": "2026-11-01T00:00:00Z",
    }


class PriceListServer(ThreadingHTTPServer):
    """Serves `products`, two a page, to calls whose filters they match; or refuses with `error`."""

    def __init__(self, products: Sequence[dict[str, Any]], error: tuple[int, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.products = list(products)
        self.error = error
        self.asked: list[dict[str, Any]] = []

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def client(self) -> Any:
        return boto3.client(
            "pricing",
            region_name="us-east-1",
            endpoint_url=self.endpoint_url,
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )


class _Handler(BaseHTTPRequestHandler):
    server: PriceListServer

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-Amz-Target"] != TARGET:
            self._answer(400, {"__type": "UnknownOperationException", "message": self.headers["X-Amz-Target"]})
        elif self.server.error is not None:
            status, code = self.server.error
            self._answer(status, {"__type": code, "message": "no"})
        else:
            self.server.asked.append(request)
            self._answer(200, self._page(request))

    def _page(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [each for each in self.server.products if _matches(each, request)]
        start = int(request.get("NextToken", 0))
        page: dict[str, Any] = {
            "FormatVersion": "aws_v1",
            "PriceList": [json.dumps(each) for each in found[start : start + 2]],
        }
        return page | ({"NextToken": str(start + 2)} if len(found) > start + 2 else {})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing: tests have their own output."""


def _matches(each: dict[str, Any], request: dict[str, Any]) -> bool:
    facts = {**each["product"]["attributes"], "productFamily": each["product"]["productFamily"]}
    wanted = [term for term in request.get("Filters", []) if facts.get(term["Field"], "") != term["Value"]]
    return each["serviceCode"] == request["ServiceCode"] and not wanted


@contextmanager
def price_list(*products: dict[str, Any], error: tuple[int, str] | None = None) -> Iterator[PriceListServer]:
    """A running Price List API."""
    server = PriceListServer(products, error)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
