"""What a job's network is here, and what its log says about it: the setting `twin.network` for jobs in subnets.

    host       the machine's network; the log of a job that installs packages says what AWS would not let through
    declared   subnets with a way to the internet: the machine's network
               subnets without: none, but for the AWS endpoint, which the twin answers

What subnets reach, and network ACLs let through, is the model's in `aws/` to say; security groups are not looked at.
With endpoints in the VPC a job reaches some services of AWS and not others; here it reaches all, and its log says so of
S3, which every job needs; under `declared` a training job without a way to S3 fails as on AWS, and requests have to
pass the policies of the endpoints on their way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from trainworks.aws.reach import Reach, Reachability
from trainworks.aws.service_needs import INTERNET
from trainworks.twin.ports import Compute, ControlPlane, Interfaces

_FIX = "pip finds no index; use an image with the packages (trainworks image build)"
_NO_DATA = "; S3 is out of reach too, so on AWS the job fails: "
_NO_ENDPOINT = "add a gateway endpoint for S3"


@dataclass(frozen=True, slots=True)
class JobNetwork:
    """For `TaskSpec`: `network`, and the port of the endpoint that is reachable without. `note` is for the log.

    `hint` is for the log of a job that installs packages: it can do that here, and could not on AWS.
    `lacks_data`: under `declared`, S3 is out of reach from all its subnets.
    """

    network: bool = True
    endpoint_port: int | None = None
    note: str = ""
    hint: str = ""
    lacks_data: bool = False


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
        ways = {each: self.control_plane.reach(each, INTERNET, public_ip) for each in subnet_ids}
        closed = [each for each, way in ways.items() if way.reach is Reach.NO]
        if not closed:  # the machine's network is the same here and there, which nobody has to be told
            leads = f"network (declared): {_named(subnet_ids)} lead{_s(subnet_ids)} to the internet"
            return JobNetwork(note=leads if self.wish == "declared" else "")
        without = _without(closed, [ways[each] for each in closed])
        no_data = [way for each in closed if (way := self.control_plane.reach(each, "s3", public_ip)).reach is Reach.NO]
        lacks_data = bool(no_data)
        stopped = next((str(way.stop) for way in no_data if way.stop is not None), _NO_ENDPOINT)
        fix = _FIX + (f"{_NO_DATA}{stopped}" if lacks_data else "")
        if self.wish == "host":
            said = f"network (host): this machine's; on AWS {without}: {fix}"
            # Every job needs data; only jobs that install packages need an index.
            return JobNetwork(note=said) if lacks_data else JobNetwork(hint=said)
        cut_off = len(no_data) == len(subnet_ids)
        if instances > 1:
            why = "the instances of a job use it to reach one another here"
            said = f"network (host, not declared: {why}): on AWS {without}: {fix}"
            return JobNetwork(note=said, lacks_data=cut_off)
        if self.compute.sandbox_mode() == "off":
            why = "there is no sandbox on this machine"
            said = f"network (host, not declared: {why}): on AWS {without}: {fix}"
            return JobNetwork(note=said, lacks_data=cut_off)
        port = urlsplit(self.endpoint_url).port
        return JobNetwork(False, port, f"network (declared): {without}: {fix}", lacks_data=cut_off)

    def interfaces(self, subnet_ids: Sequence[str], *, public_ip: bool | None) -> Interfaces | None:
        """For the credentials of a job in these subnets; None if its requests are held to no VPC."""
        return Interfaces(tuple(subnet_ids), public_ip) if subnet_ids and self.wish == "declared" else None


def _without(closed: Sequence[str], ways: Sequence[Reachability]) -> str:
    stops = list(dict.fromkeys(str(way.stop) for way in ways if way.stop is not None))
    if stops:
        does = "does" if len(closed) == 1 else "do"
        return f"{_named(closed)} {does} not reach the internet, as {'; '.join(stops)}"
    return f"{_named(closed)} ha{'s' if len(closed) == 1 else 've'} no route to the internet"


def _named(subnet_ids: Sequence[str]) -> str:
    return f"subnet{'' if len(subnet_ids) == 1 else 's'} {', '.join(subnet_ids)}"


def _s(subnet_ids: Sequence[str]) -> str:
    return "s" if len(subnet_ids) == 1 else ""
