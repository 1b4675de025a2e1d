"""Values that a service would have given: ids, ARNs, names of hosts, in the formats that AWS documents, made up.

Each begins as its type's documentation shows; nothing answers at any host that is named here.
"""

from __future__ import annotations

import re
import secrets
import string
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainworks.assembly.physical_ids import NAMINGS
from trainworks.assembly.schemas import Node, Schema

_LOWER = string.ascii_lowercase + string.digits
_UPPER = string.ascii_uppercase + string.digits

# Ids by type, as patterns over {hex17} {hex8} {low10} {up13} {uuid} {region} and {account}.
_IDS: Mapping[str, str] = {
    "AWS::AppConfig": "{low7}",
    "AWS::ApiGateway": "{low10}",
    "AWS::ApiGatewayV2": "{low10}",
    "AWS::CloudFront": "E{up13}",
    "AWS::Cognito::IdentityPool": "{region}:{uuid}",
    "AWS::Cognito::UserPool": "{region}_{low9}",
    "AWS::Cognito::UserPoolClient": "{low26}",
    "AWS::EC2::CapacityReservation": "cr-{hex17}",
    "AWS::EC2::ClientVpnEndpoint": "cvpn-endpoint-{hex17}",
    "AWS::EC2::CustomerGateway": "cgw-{hex17}",
    "AWS::EC2::DHCPOptions": "dopt-{hex17}",
    "AWS::EC2::EIPAssociation": "eipassoc-{hex17}",
    "AWS::EC2::EgressOnlyInternetGateway": "eigw-{hex17}",
    "AWS::EC2::Host": "h-{hex17}",
    "AWS::EC2::Instance": "i-{hex17}",
    "AWS::EC2::InstanceConnectEndpoint": "eice-{hex17}",
    "AWS::EC2::KeyPair": "key-{hex17}",
    "AWS::EC2::NetworkInterface": "eni-{hex17}",
    "AWS::EC2::PrefixList": "pl-{hex17}",
    "AWS::EC2::SubnetCidrBlock": "subnet-cidr-assoc-{hex17}",
    "AWS::EC2::TransitGateway": "tgw-{hex17}",
    "AWS::EC2::TransitGatewayAttachment": "tgw-attach-{hex17}",
    "AWS::EC2::TransitGatewayRouteTable": "tgw-rtb-{hex17}",
    "AWS::EC2::TransitGatewayVpcAttachment": "tgw-attach-{hex17}",
    "AWS::EC2::VPCCidrBlock": "vpc-cidr-assoc-{hex8}",
    "AWS::EC2::VPCEndpointService": "vpce-svc-{hex17}",
    "AWS::EC2::VPCPeeringConnection": "pcx-{hex17}",
    "AWS::EC2::VPNConnection": "vpn-{hex17}",
    "AWS::EC2::VPNGateway": "vgw-{hex17}",
    "AWS::EC2::Volume": "vol-{hex17}",
    "AWS::EFS::AccessPoint": "fsap-{hex17}",
    "AWS::EFS::FileSystem": "fs-{hex17}",
    "AWS::EFS::MountTarget": "fsmt-{hex17}",
    "AWS::FSx::DataRepositoryAssociation": "dra-{hex17}",
    "AWS::FSx::FileSystem": "fs-{hex17}",
    "AWS::FSx::StorageVirtualMachine": "svm-{hex17}",
    "AWS::FSx::Volume": "fsvol-{hex17}",
    "AWS::Route53::HealthCheck": "{uuid}",
    "AWS::Route53::HostedZone": "Z{up20}",
    "AWS::SSM::MaintenanceWindow": "mw-{hex17}",
    "AWS::SSM::PatchBaseline": "pb-{hex17}",
    "AWS::SageMaker::Domain": "d-{low12}",
    "AWS::ServiceCatalog::CloudFormationProduct": "prod-{low13}",
    "AWS::ServiceCatalog::Portfolio": "port-{low13}",
    "AWS::ServiceCatalogAppRegistry": "{low26}",
}
_OTHER_ID = "{uuid}"

# The service in an ARN, if it is not the type's in lower case.
_ARN_SERVICES: Mapping[str, str] = {
    "ApplicationAutoScaling": "application-autoscaling",
    "ApplicationSignals": "application-signals",
    "CertificateManager": "acm",
    "Cognito": "cognito-idp",
    "CodeConnections": "codeconnections",
    "CodeStarConnections": "codestar-connections",
    "CodeStarNotifications": "codestar-notifications",
    "DocDB": "rds",
    "EFS": "elasticfilesystem",
    "ElasticLoadBalancing": "elasticloadbalancing",
    "ElasticLoadBalancingV2": "elasticloadbalancing",
    "KinesisAnalyticsV2": "kinesisanalytics",
    "KinesisFirehose": "firehose",
    "MSK": "kafka",
    "MWAA": "airflow",
    "Macie": "macie2",
    "Neptune": "rds",
    "NetworkFirewall": "network-firewall",
    "OpenSearchServerless": "aoss",
    "OpenSearchService": "es",
    "RedshiftServerless": "redshift-serverless",
    "ServiceCatalogAppRegistry": "servicecatalog",
    "VpcLattice": "vpc-lattice",
}
# What follows the account in an ARN, if it is not `kind/name`.
_ARN_ENDS: Mapping[str, str] = {
    "AWS::CodeCommit::Repository": "{name}",
    "AWS::CodePipeline::Pipeline": "{name}",
    "AWS::Cognito::UserPool": "userpool/{id}",
    "AWS::DocDB::DBCluster": "cluster:{name}",
    "AWS::EFS::FileSystem": "file-system/{id}",
    "AWS::EC2::VPCPeeringConnection": "vpc-peering-connection/{id}",
    "AWS::FSx::FileSystem": "file-system/{id}",
    "AWS::KinesisFirehose::DeliveryStream": "deliverystream/{name}",
    "AWS::Neptune::DBCluster": "cluster:{name}",
    "AWS::RDS::DBCluster": "cluster:{name}",
    "AWS::RDS::DBInstance": "db:{name}",
    "AWS::RDS::DBSubnetGroup": "subgrp:{name}",
    "AWS::WAFv2::WebACL": "regional/webacl/{name}/{id}",
}
_PORTS: Mapping[str, int] = {"RDS": 5432, "DocDB": 27017, "Neptune": 8182, "ElastiCache": 6379, "Redshift": 5439}
_READY = ("ACTIVE", "AVAILABLE", "INSERVICE", "ENABLED", "READY", "COMPLETED", "CREATED")


@dataclass(frozen=True)
class Maker:
    """Makes the values of one resource; the same id and name in all of them."""

    schema: Schema
    name: str
    id: str
    account: str
    region: str

    def value(self, path: tuple[str, ...]) -> Any:
        """What the service would give for a read-only property."""
        attribute, node = path[-1], self.schema.at(path)
        kind = self._kind(node)
        if kind == "array":
            return []
        if kind == "object":
            return {}
        if kind == "boolean":
            return False
        if kind in ("integer", "number"):
            return self._port if attribute.endswith("Port") else 1
        return self._text(attribute, node)

    @staticmethod
    def _kind(node: Node) -> str:
        kind = node.get("type", "string")
        return str(kind if isinstance(kind, str) else kind[0])

    @property
    def _service(self) -> str:
        return self.schema.type_name.split("::")[1]

    @property
    def _port(self) -> int:
        return _PORTS.get(self._service, 443)

    def _text(self, attribute: str, node: Node) -> str:
        naming = NAMINGS.get(self.schema.type_name)
        own = (naming.attributes or {}).get(attribute) if naming is not None else None
        if own is not None and naming is not None:
            # A type whose name the service chooses is named by its id.
            return self._filled(own, self.id if naming.prefix else self.name)
        lowered = attribute.lower()
        if lowered.endswith("arn"):
            return self.arn(attribute)
        if "enum" in node:
            ready = (each for each in node["enum"] if re.sub("[_-]", "", str(each)).upper() in _READY)
            return str(next(ready, node["enum"][0]))
        for ending, found in self._by_ending().items():
            if lowered.endswith(ending):
                return found
        return self.name

    def _by_ending(self) -> dict[str, str]:
        host = f"{self.name.lower()}.{self.id.lower()[:12]}.{self.region}.{self.arn_service}.amazonaws.com"
        return {
            "accountid": self.account,
            "ownerid": self.account,
            "id": self.id,
            "identifier": self.id,
            "url": f"https://{host}",
            "uri": f"https://{host}",
            "domainname": host,
            "dnsname": host,
            "address": host,
            "endpoint": host,
            "host": host,
            "port": str(self._port),
            "zone": f"{self.region}a",
            "status": "ACTIVE",
            "state": "ACTIVE",
            "version": "1",
            "region": self.region,
            "time": _now(),
            "timestamp": _now(),
            "date": _now(),
            "at": _now(),
            "on": self.name,
        }

    @property
    def arn_service(self) -> str:
        """The service as ARNs and hosts name it."""
        return _ARN_SERVICES.get(self._service, self._service.lower())

    def arn(self, attribute: str = "Arn") -> str:
        """Its ARN; another attribute that is an ARN has a kind of its own."""
        type_name = self.schema.type_name
        kind = type_name.split("::")[2]
        naming = NAMINGS.get(type_name)
        is_own = attribute.lower() in ("arn", f"{kind.lower()}arn")
        if is_own and naming is not None and naming.arn:
            return self._filled(naming.arn)
        if is_own and type_name in _ARN_ENDS:
            end = self._filled(_ARN_ENDS[type_name])
        else:
            what = kind if is_own else re.sub("(?i)arn$", "", attribute)
            end = f"{re.sub('(?<=[a-z])(?=[A-Z])', '-', what).lower()}/{self.name}"
        return f"arn:aws:{self.arn_service}:{self.region}:{self.account}:{end}"

    def _filled(self, pattern: str, name: str = "") -> str:
        own = {"name": name or self.name, "id": self.id}
        return pattern.format(**own, account=self.account, region=self.region, partition="aws")


def made_up_id(type_name: str, region: str, account: str) -> str:
    """An id in the format of its type's."""
    pattern = _IDS.get(type_name) or _IDS.get("::".join(type_name.split("::")[:2]), _OTHER_ID)
    return re.sub(r"\{(\w+)\}", lambda match: _part(match[1], region, account), pattern)


def _part(name: str, region: str, account: str) -> str:
    whole = {"uuid": str(uuid.uuid4()), "region": region, "account": account}
    if name in whole:
        return whole[name]
    alphabet = {"hex": "0123456789abcdef", "low": _LOWER, "up": _UPPER}[name.rstrip(string.digits)]
    return "".join(secrets.choice(alphabet) for _ in range(int(name.lstrip(string.ascii_lowercase))))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
