"""The partition of a region, and the domain that its services end in."""

from __future__ import annotations


def partition_of(region: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def url_suffix_of(region: str) -> str:
    """What `AWS::URLSuffix` is in a region."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
