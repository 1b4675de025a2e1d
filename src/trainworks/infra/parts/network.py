"""The VPC: isolated subnets for jobs, a way out where the profile wants one, endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack, Tags
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from trainworks.aws.cidr import derived_cidr_block
from trainworks.config.profile import PROFILES, Egress, EnvironmentProfile, NetworkProfile, profile_of
from trainworks.errors import ConfigurationError
from trainworks.infra.constructs.closed_default_security_group import ClosedDefaultSecurityGroup
from trainworks.infra.constructs.endpoint_policy import POLICY_SERVICES, gateway_statements, interface_statements
from trainworks.infra.constructs.flow_log import FlowLog
from trainworks.infra.constructs.subnet_slots import SubnetSlots, number_by_letter
from trainworks.infra.constructs.workload_security_group import Destinations
from trainworks.infra.feature_flags import pin_feature_flags


class Network(Construct):
    """Subnets by what they may reach: a VPC of its own, or those of `vpc`, which stays as it is.

    vpc                                the VPC
    isolated_subnets                   reach S3 and DynamoDB by gateway, and interface endpoints if there are any
    batch_subnets, notebook_subnets    follow `network.egress`; see `config.profile.Egress`

    The interface endpoints are those that the profile's workloads need, `EnvironmentProfile.endpoint_services`. In a
    `vpc` brought along, jobs get its isolated subnets, or its private ones if it has no isolated; endpoints,
    routes, flow logs and the default security group are its owner's. Raises `ConfigurationError` if it has no
    subnets of the kind needed, and for settings that say how a VPC is made.
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
        pin_feature_flags(self)
        settings = profile_of(profile)
        network = settings.network
        self._isolated_destinations = Destinations()
        if vpc is None:
            suffix = environment_suffix or settings.name.value
            self.vpc: ec2.IVpc = self._create(settings, network.cidr_block or derived_cidr_block(suffix))
        else:
            _refuse_what_belongs_to_the_vpc(settings)
            self.vpc = vpc
        public, private = list(self.vpc.public_subnets), list(self.vpc.private_subnets)
        self.isolated_subnets = list(self.vpc.isolated_subnets) or private
        self.batch_subnets = {
            Egress.PUBLIC_IP: public,
            Egress.NAT_GATEWAY: private,
            Egress.INTERFACE_ENDPOINTS: self.isolated_subnets,
        }[network.egress]
        self.notebook_subnets = private if network.egress is Egress.NAT_GATEWAY else self.isolated_subnets
        self._check(settings)

    def destinations_from(self, subnets: Sequence[ec2.ISubnet]) -> Destinations:
        """Where workloads in `subnets` may speak to: in isolated ones to the endpoints, if their ids are known."""
        isolated = {subnet.subnet_id for subnet in self.isolated_subnets}
        inside = all(subnet.subnet_id in isolated for subnet in subnets)
        return self._isolated_destinations if inside else Destinations()

    def _check(self, profile: EnvironmentProfile) -> None:
        egress = profile.network.egress.value
        for wanted, subnets, needed in (
            ("isolated or private subnets for jobs", self.isolated_subnets, True),
            (f"subnets for Batch hosts with network.egress {egress}", self.batch_subnets, profile.batch is not None),
            (f"subnets for the notebook with network.egress {egress}", self.notebook_subnets, bool(profile.notebook)),
        ):
            if needed and not subnets:
                raise ConfigurationError(
                    f"{self.vpc.node.path} has no {wanted}",
                    fix="bring a VPC with them, or set network.egress to what it has",
                )

    def _create(self, profile: EnvironmentProfile, cidr_block: str) -> ec2.Vpc:
        network, stack = profile.network, Stack.of(self)
        letters = network.zone_letters(stack.region)
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=SubnetSlots(network, cidr_block),
            availability_zones=[f"{stack.region}{letter}" for letter in letters],
            nat_gateways=1 if network.egress is Egress.NAT_GATEWAY else 0,
            restrict_default_security_group=False,  # would add a Lambda function
            subnet_configuration=_subnets(network),
        )
        for named in (vpc, *vpc.public_subnets, *vpc.private_subnets, *vpc.isolated_subnets):
            readable = [part for part in named.node.path.split("/") if part != "Default"]
            Tags.of(named).add("Name", "/".join(readable))
        number_by_letter(vpc, letters)
        self._gateways(vpc, network)
        if services := profile.endpoint_services:
            group = self._interface_endpoints(vpc, cidr_block, services)
            endpoints: tuple[str, ...] = (group.security_group_id,)
        else:
            endpoints = ()
        if network.gateway_prefix_list_ids:
            self._isolated_destinations = Destinations(network.gateway_prefix_list_ids, endpoints)
        if network.flow_logs:
            FlowLog(
                self,
                "FlowLog",
                vpc=vpc,
                retention_days=profile.monitoring.log_retention_days,
                retain=profile.storage.retain,
            )
        ClosedDefaultSecurityGroup(
            self,
            "DefaultSecurityGroup",
            security_group_id=vpc.vpc_default_security_group,
            stack_id=_root(stack).stack_id,
        )
        return vpc

    def _gateways(self, vpc: ec2.Vpc, network: NetworkProfile) -> None:
        """Without a selection of subnets the gateways serve every route table. They cost nothing."""
        stack = Stack.of(self)
        s3 = vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        for statement in gateway_statements(stack, "s3", network.readable_buckets):
            s3.add_to_policy(statement)
        dynamodb = vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        for statement in gateway_statements(stack, "dynamodb"):
            dynamodb.add_to_policy(statement)

    def _interface_endpoints(self, vpc: ec2.Vpc, cidr_block: str, services: Sequence[str]) -> ec2.SecurityGroup:
        """All endpoints share one security group, which answers to the VPC alone."""
        group = ec2.SecurityGroup(
            self,
            "EndpointSecurityGroup",
            vpc=vpc,
            description="HTTPS from the VPC to interface endpoints",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(ec2.Peer.ipv4(cidr_block), ec2.Port.tcp(443), "HTTPS from the VPC")
        for service in services:
            endpoint = ec2.InterfaceVpcEndpoint(
                self,
                "".join(part.capitalize() for part in service.replace("-", ".").split(".")) + "Endpoint",
                vpc=vpc,
                service=ec2.InterfaceVpcEndpointAwsService(service),
                subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
                security_groups=[group],
                open=False,
            )
            if service in POLICY_SERVICES:
                for statement in interface_statements(Stack.of(self), service):
                    endpoint.add_to_policy(statement)
        return group


_OF_THE_VPC = (
    "cidr_block",
    "subnet_cidr_mask",
    "availability_zones",
    "interface_endpoints",
    "readable_buckets",
    "gateway_prefix_list_ids",
    "flow_logs",
)
"""Settings that say how a VPC is made."""


def _refuse_what_belongs_to_the_vpc(profile: EnvironmentProfile) -> None:
    """Raises `ConfigurationError` for a setting that somebody changed and that nothing would come of."""
    shipped = PROFILES[profile.name].network
    for name in _OF_THE_VPC:
        value, default = getattr(profile.network, name), getattr(shipped, name)
        if value != default:
            raise ConfigurationError(
                f"network.{name} is {value!r} and cannot be used with a VPC brought along: its subnets, endpoints and "
                "flow logs are its owner's",
                fix=f"leave network.{name} at {default!r}",
            )


def _root(stack: Stack) -> Stack:
    parent = stack.nested_stack_parent
    return _root(parent) if parent else stack


def _subnets(network: NetworkProfile) -> list[ec2.SubnetConfiguration]:
    isolated = ec2.SubnetConfiguration(
        name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=network.subnet_cidr_mask
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
