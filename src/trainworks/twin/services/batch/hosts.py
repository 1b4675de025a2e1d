"""What EC2 says of the hosts of compute environments."""

from __future__ import annotations

from trainworks.twin.services.outbox import Event


def interruption_warning(instance_id: str, region: str) -> Event:
    """The event of a spot interruption, two minutes or the notice before the instance ends.

    Source: "Spot Instance interruption notices" in the EC2 user guide. It names the instance, and neither tags nor the
    one who launched it; the ARN has the zone in the region's place and no account.
    """
    detail = {"instance-id": instance_id, "instance-action": "terminate"}
    arn = f"arn:aws:ec2:{region}a:instance/{instance_id}"
    return Event("aws.ec2", "EC2 Spot Instance Interruption Warning", detail, (arn,))
