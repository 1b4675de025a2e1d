"""Properties of `AWS::S3::Bucket` as the XML documents that S3's own operations take."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def encryption_xml(properties: Mapping[str, Any]) -> bytes:
    """`BucketEncryption` as the body of PutBucketEncryption."""
    root = ET.Element("ServerSideEncryptionConfiguration", xmlns=_NAMESPACE)
    for entry in properties.get("ServerSideEncryptionConfiguration") or []:
        rule = ET.SubElement(root, "Rule")
        default = entry.get("ServerSideEncryptionByDefault") or {}
        element = ET.SubElement(rule, "ApplyServerSideEncryptionByDefault")
        _text(element, "SSEAlgorithm", default.get("SSEAlgorithm"))
        _text(element, "KMSMasterKeyID", default.get("KMSMasterKeyID"))
        _text(rule, "BucketKeyEnabled", entry.get("BucketKeyEnabled"))
    return ET.tostring(root)


def lifecycle_xml(properties: Mapping[str, Any]) -> bytes:
    """`LifecycleConfiguration` as the body of PutBucketLifecycleConfiguration."""
    root = ET.Element("LifecycleConfiguration", xmlns=_NAMESPACE)
    for rule in properties.get("Rules") or []:
        element = ET.SubElement(root, "Rule")
        _text(element, "ID", rule.get("Id"))
        _text(element, "Status", rule.get("Status"))
        _text(ET.SubElement(element, "Filter"), "Prefix", rule.get("Prefix", ""))
        _expiration(element, rule)
        for transition in _listed(rule.get("Transitions"), rule.get("Transition")):
            part = ET.SubElement(element, "Transition")
            _text(part, "Days", transition.get("TransitionInDays"))
            _text(part, "Date", transition.get("TransitionDate"))
            _text(part, "StorageClass", transition.get("StorageClass"))
        for transition in _listed(rule.get("NoncurrentVersionTransitions"), rule.get("NoncurrentVersionTransition")):
            part = ET.SubElement(element, "NoncurrentVersionTransition")
            _text(part, "NoncurrentDays", transition.get("TransitionInDays"))
            _text(part, "StorageClass", transition.get("StorageClass"))
        _noncurrent_expiration(element, rule)
        abort = rule.get("AbortIncompleteMultipartUpload") or {}
        if abort:
            part = ET.SubElement(element, "AbortIncompleteMultipartUpload")
            _text(part, "DaysAfterInitiation", abort.get("DaysAfterInitiation"))
    return ET.tostring(root)


def logging_xml(properties: Mapping[str, Any]) -> bytes:
    """`LoggingConfiguration` as the body of PutBucketLogging."""
    root = ET.Element("BucketLoggingStatus", xmlns=_NAMESPACE)
    if properties.get("DestinationBucketName"):
        enabled = ET.SubElement(root, "LoggingEnabled")
        _text(enabled, "TargetBucket", properties["DestinationBucketName"])
        _text(enabled, "TargetPrefix", properties.get("LogFilePrefix", ""))
    return ET.tostring(root)


def ownership_xml(properties: Mapping[str, Any]) -> bytes:
    """`OwnershipControls` as the body of PutBucketOwnershipControls."""
    root = ET.Element("OwnershipControls", xmlns=_NAMESPACE)
    for rule in properties.get("Rules") or []:
        _text(ET.SubElement(root, "Rule"), "ObjectOwnership", rule.get("ObjectOwnership"))
    return ET.tostring(root)


def tags_xml(tags: Sequence[Mapping[str, Any]]) -> bytes:
    """`Tags` as the body of PutBucketTagging."""
    root = ET.Element("Tagging", xmlns=_NAMESPACE)
    tag_set = ET.SubElement(root, "TagSet")
    for tag in tags or []:
        element = ET.SubElement(tag_set, "Tag")
        _text(element, "Key", tag["Key"])
        _text(element, "Value", tag.get("Value", ""))
    return ET.tostring(root)


def _expiration(rule_element: ET.Element, rule: Mapping[str, Any]) -> None:
    names = (("ExpirationInDays", "Days"), ("ExpirationDate", "Date"))
    values = [(tag, rule[name]) for name, tag in names if rule.get(name) is not None]
    if rule.get("ExpiredObjectDeleteMarker") is not None:
        values.append(("ExpiredObjectDeleteMarker", rule["ExpiredObjectDeleteMarker"]))
    if values:
        element = ET.SubElement(rule_element, "Expiration")
        for tag, value in values:
            _text(element, tag, value)


def _noncurrent_expiration(rule_element: ET.Element, rule: Mapping[str, Any]) -> None:
    expiration = rule.get("NoncurrentVersionExpiration") or {}
    days = rule.get("NoncurrentVersionExpirationInDays", expiration.get("NoncurrentDays"))
    if days is not None:
        element = ET.SubElement(rule_element, "NoncurrentVersionExpiration")
        _text(element, "NoncurrentDays", days)
        _text(element, "NewerNoncurrentVersions", expiration.get("NewerNoncurrentVersions"))


def _listed(many: Sequence[Mapping[str, Any]] | None, one: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return [*(many or []), *([one] if one else [])]


def _text(parent: ET.Element, tag: str, value: object) -> None:
    """Add an element unless the value is absent; CloudFormation may give a boolean as text."""
    if value is None:
        return
    ET.SubElement(parent, tag).text = str(value).lower() if isinstance(value, bool) else str(value)
