"""The VPC: isolated subnets for jobs, a way out where the profile wants one, endpoints."""

from __future__ import annotations

from aws_cdk import NestedStack, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from trainworks.infra.constructs.flow_log import FlowLog
from trainworks.spec.profile import Egress, EnvironmentProfile, NetworkProfile

ISOLATED = "Isolated"


class NetworkStack(NestedStack):
    """Subnets by what they may reach.

    `isolated_subnets` reach S3 and DynamoDB by gateway and, where the profile has them, interface endpoints.
    `batch_subnets` and `notebook_subnets` follow `network.egress`; see `spec.profile.Egress`.
    """

    def __init__(self, scope: Construct, id: str, *, profile: EnvironmentProfile) -> None:
        super().__init__(scope, id)
        network = profile.network
        region = Stack.of(self).region
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(network.cidr_block),
            availability_zones=[f"{region}{letter}" for letter in network.availability_zones],
            nat_gateways=1 if network.egress is Egress.NAT_GATEWAY else 0,
            restrict_default_security_group=False,  # would add a Lambda function; nothing uses that group
            subnet_configuration=_subnets(network),
            gateway_endpoints={
                # No subnet selection: the gateways serve every route table.
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        self.isolated_subnets = self.vpc.isolated_subnets
        self.batch_subnets = {
            Egress.PUBLIC_IP: self.vpc.public_subnets,
            Egress.NAT_GATEWAY: self.vpc.private_subnets,
            Egress.INTERFACE_ENDPOINTS: self.vpc.isolated_subnets,
        }[network.egress]
        self.notebook_subnets = (
            self.vpc.private_subnets if network.egress is Egress.NAT_GATEWAY else self.vpc.isolated_subnets
        )
        if network.interface_endpoints:
            self._interface_endpoints(network)
        if network.flow_logs:
            FlowLog(self, "FlowLog", vpc=self.vpc, retention_days=profile.monitoring.log_retention_days)

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
