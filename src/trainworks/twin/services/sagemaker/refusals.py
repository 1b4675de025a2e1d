"""Refusals as SageMaker words them, of every kind of resource."""

from __future__ import annotations

from trainworks.twin.ports import ApiError


def invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)


def not_found() -> ApiError:
    return invalid("Requested resource not found.")
