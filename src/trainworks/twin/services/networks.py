"""What a job's network is here, and what its log says of that: the setting `twin.network` for jobs in subnets of a VPC.

    host       the machine's network; the log of a job that installs packages says what AWS would not let through
    declared   subnets with a way to the internet: the machine's network
               subnets without: none, but for the AWS endpoint, which the twin answers

What subnets reach is `aws.reach`'s to say; security groups and ACLs are not looked at. With endpoints in the VPC a job
reaches some services of AWS and not others; here it reaches all, and its log says so of S3, which every job needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from trainworks.aws.reach import Reach
from trainworks.aws.service_needs import INTERNET
from trainworks.twin.ports import Compute, ControlPlane

_FIX = "pip finds no index; use an image with the packages (trainworks image build)"
_NO_DATA = "; S3 is out of reach too, so on AWS the job fails: add a gateway endpoint for S3"


@dataclass(frozen=True, slots=True)
class JobNetwork:
    """For `TaskSpec`: `network`, and the port of the endpoint that is reachable without. `note` is for the log.

    `hint` is for the log of a job that installs packages: it can do that here, and could not on AWS.
    """

    network: bool = True
    endpoint_port: int | None = None
    note: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Networks:
    """`wish` is `host` or `declared`; `endpoint_url` is the twin's."""

    control_plane: ControlPlane
    compute: Compute
    endpoint_url: str
    wish: str = "host"

    def of(self, subnet_ids: Sequence[str], *, public_ip: bool | None, instances: int = 1) -> JobNetwork:
        """The network of a job whose interfaces are in these subnets; `public_ip` None leaves that to the subnet.

        Without subnets it is AWS's own network, which leads everywhere.
        """
        if not subnet_ids:
            return JobNetwork()
        closed = [each for each in subnet_ids if self._is_cut_off(each, INTERNET, public_ip)]
        if not closed:  # the machine's network is the same here and there, which nobody has to be told
            leads = f"network (declared): {_named(subnet_ids)} lead{_s(subnet_ids)} to the internet"
            return JobNetwork(note=leads if self.wish == "declared" else "")
        without = f"{_named(closed)} ha{'s' if len(closed) == 1 else 've'} no route to the internet"
        lacks_data = any(self._is_cut_off(each, "s3", public_ip) for each in closed)
        fix = _FIX + (_NO_DATA if lacks_data else "")
        if self.wish == "host":
            said = f"network (host): this machine's; on AWS {without}: {fix}"
            # Data is every job's matter, an index that of those who install packages.
            return JobNetwork(note=said) if lacks_data else JobNetwork(hint=said)
        if instances > 1:
            why = "the instances of a job use it to reach one another here"
            return JobNetwork(note=f"network (host, not declared: {why}): on AWS {without}: {fix}")
        if self.compute.sandbox_mode() == "off":
            why = "there is no sandbox on this machine"
            return JobNetwork(note=f"network (host, not declared: {why}): on AWS {without}: {fix}")
        port = urlsplit(self.endpoint_url).port
        return JobNetwork(False, port, f"network (declared): {without}: {fix}")

    def _is_cut_off(self, subnet_id: str, service: str, public_ip: bool | None) -> bool:
        return self.control_plane.reach(subnet_id, service, public_ip).reach is Reach.NO


def _named(subnet_ids: Sequence[str]) -> str:
    return f"subnet{'' if len(subnet_ids) == 1 else 's'} {', '.join(subnet_ids)}"


def _s(subnet_ids: Sequence[str]) -> str:
    return "s" if len(subnet_ids) == 1 else ""
