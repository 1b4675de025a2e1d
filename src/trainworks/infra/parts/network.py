"""The VPC: isolated subnets for jobs, a way out where the profile wants one, endpoints."""

from __future__ import annotations

from aws_cdk import Stack, Tags
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from trainworks.errors import ConfigurationError
from trainworks.infra.constructs.flow_log import FlowLog
from trainworks.spec.profile import Egress, EnvironmentProfile, NetworkProfile, profile_of

ISOLATED = "Isolated"


class Network(Construct):
    """Subnets by what they may reach: a VPC of its own, or those of `vpc`, which stays as it is.

    `isolated_subnets` reach S3 and DynamoDB by gateway and, where the profile has them, interface endpoints.
    `batch_subnets` and `notebook_subnets` follow `network.egress`; see `spec.profile.Egress`.

    In a `vpc` brought along, jobs get its isolated subnets, or its private ones where it has no isolated; endpoints,
    routes and flow logs are its owner's. Raises `ConfigurationError` where it has no subnets of the kind needed.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        profile: EnvironmentProfile | str,
        environment_suffix: str | None = None,
        vpc: ec2.IVpc | None = None,
    ) -> None:
        super().__init__(scope, id)
        settings = profile_of(profile)
        network = settings.network
        if vpc is None:
            created = self._create(network)
            self.vpc: ec2.IVpc = created
            if network.interface_endpoints:
                self._interface_endpoints(network)
            if network.flow_logs:
                FlowLog(self, "FlowLog", vpc=self.vpc, retention_days=settings.monitoring.log_retention_days)
        else:
            self.vpc = vpc
        public, private = list(self.vpc.public_subnets), list(self.vpc.private_subnets)
        self.isolated_subnets = list(self.vpc.isolated_subnets) or private
        self.batch_subnets = {
            Egress.PUBLIC_IP: public,
            Egress.NAT_GATEWAY: private,
            Egress.INTERFACE_ENDPOINTS: self.isolated_subnets,
        }[network.egress]
        self.notebook_subnets = private if network.egress is Egress.NAT_GATEWAY else self.isolated_subnets
        self._check(network.egress)

    def _check(self, egress: Egress) -> None:
        for wanted, subnets in (
            ("isolated or private subnets for jobs", self.isolated_subnets),
            (f"subnets for network.egress {egress.value}", self.batch_subnets),
            (f"subnets of the notebook for network.egress {egress.value}", self.notebook_subnets),
        ):
            if not subnets:
                raise ConfigurationError(
                    f"{self.vpc.node.path} has no {wanted}",
                    fix="bring a VPC with them, or set network.egress to what it has",
                )

    def _create(self, network: NetworkProfile) -> ec2.Vpc:
        region = Stack.of(self).region
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(network.cidr_block),
            availability_zones=[f"{region}{letter}" for letter in network.availability_zones],
            nat_gateways=1 if network.egress is Egress.NAT_GATEWAY else 0,
            restrict_default_security_group=False,  # would add a Lambda function
            subnet_configuration=_subnets(network),
            gateway_endpoints={
                # No subnet selection: the gateways serve every route table.
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        for named in (vpc, *vpc.public_subnets, *vpc.private_subnets, *vpc.isolated_subnets):
            readable = [part for part in named.node.path.split("/") if part != "Default"]
            Tags.of(named).add("Name", "/".join(readable))
        return vpc

    def _interface_endpoints(self, network: NetworkProfile) -> None:
        """All endpoints share one security group, which answers to the VPC alone."""
        group = ec2.SecurityGroup(
            self,
            "EndpointSecurityGroup",
            vpc=self.vpc,
            description="HTTPS from the VPC to interface endpoints",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(ec2.Peer.ipv4(network.cidr_block), ec2.Port.tcp(443), "HTTPS from the VPC")
        for endpoint in network.interface_endpoints:
            ec2.InterfaceVpcEndpoint(
                self,
                "".join(part.capitalize() for part in endpoint.value.replace("-", ".").split(".")) + "Endpoint",
                vpc=self.vpc,
                service=ec2.InterfaceVpcEndpointAwsService(endpoint.value),
                subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
                security_groups=[group],
                open=False,
            )


def _subnets(network: NetworkProfile) -> list[ec2.SubnetConfiguration]:
    isolated = ec2.SubnetConfiguration(
        name=ISOLATED, subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=network.subnet_cidr_mask
    )
    if network.egress is Egress.INTERFACE_ENDPOINTS:
        return [isolated]
    public = ec2.SubnetConfiguration(
        name="Public",
        subnet_type=ec2.SubnetType.PUBLIC,
        cidr_mask=network.subnet_cidr_mask,
        map_public_ip_on_launch=network.egress is Egress.PUBLIC_IP,
    )
    if network.egress is Egress.PUBLIC_IP:
        return [public, isolated]
    private = ec2.SubnetConfiguration(
        name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=network.subnet_cidr_mask
    )
    return [public, private, isolated]
