"""What the server says to agents: claims, leases, stops, ends. Each follows from committed rows alone."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from trainworks.aws.instance_types import instance_type
from trainworks.twin.compute.channel import Message
from trainworks.twin.compute.fleet import Agent
from trainworks.twin.compute.gpus import Gpus, environment_of
from trainworks.twin.compute.placement import Machine, offered
from trainworks.twin.compute.tables import InstanceRow, PoolRow


def claim(row: InstanceRow, pool: PoolRow, machine: Machine) -> Message:
    """What the instance is from now on, and what its tasks may take together."""
    kind = offered(row.instance_type, exclusive=pool.spec.exclusive)
    shared = not pool.spec.exclusive
    return {
        "op": "claim",
        "vcpus": min(kind.vcpus, machine.vcpus) if shared else kind.vcpus,
        "memory_bytes": min(kind.memory_mib, machine.memory_mib if shared else kind.memory_mib) << 20,
        "gpus": kind.gpus,
        "instance_memory_bytes": instance_type(row.instance_type).memory_mib << 20,
        "idle_seconds": max(60.0, pool.spec.idle_seconds),
    }


def lease_messages(
    row: InstanceRow, tasks: Sequence[Any], pool: PoolRow | None, gpus: Gpus, devices: Mapping[str, Sequence[str]]
) -> list[bytes]:
    """One message a lease, in order. On an exclusive instance the task's memory limit is the instance's memory.

    The specs are stored as they travel, and are put into the line as they are. `devices` are those of each task that
    has any; on a machine with GPUs all others are told that they have none.
    """
    leases: dict[int, list[str]] = {}
    for task in tasks:
        spec: str = task["spec"]
        if pool is not None and pool.spec.exclusive:
            wire = {**json.loads(spec), "memory_bytes": instance_type(row.instance_type).memory_mib << 20}
            spec = json.dumps(wire, separators=(",", ":"))
        if gpus:
            wire = json.loads(spec)
            _give_devices(wire, gpus, devices.get(wire["task_id"], ()))
            spec = json.dumps(wire, separators=(",", ":"))
        leases.setdefault(task["lease"], []).append(spec)
    return [
        f'{{"op":"lease","n":{number},"tasks":[{",".join(specs)}]}}\n'.encode()
        for number, specs in sorted(leases.items())
    ]


def _give_devices(wire: Message, gpus: Gpus, device_ids: Sequence[str]) -> None:
    own = [gpus.devices[device_id] for device_id in device_ids if device_id in gpus.devices]
    wire["devices"] = sorted({node for gpu in own for node in gpu.nodes})
    told = environment_of(own)
    if own and "CUDA_VISIBLE_DEVICES" in wire["env"]:
        told.pop("CUDA_VISIBLE_DEVICES", None)  # it chooses among its own: others are not in its /dev
    wire["env"] = {**wire["env"], **told}


def stop_messages(agent: Agent, stops: Sequence[Any]) -> list[Message]:
    """Stops that the agent has not heard of, or has heard of with another grace."""
    messages: list[Message] = []
    for stop in stops:
        task_id, grace = stop["task_id"], stop["stop_grace_seconds"]
        if task_id not in agent.sent_stops or agent.sent_stops[task_id] != grace:
            agent.sent_stops[task_id] = grace
            messages.append({"op": "stop", "task_id": task_id, "grace": grace, "reason": stop["stop_reason"]})
    return messages


def end_messages(agent: Agent, row: InstanceRow) -> list[Message]:
    """The instance's own end, at once or as a spot interruption, said once."""
    if row.end_reason is not None and not agent.told_to_end:
        agent.told_to_end = True
        return [{"op": "end"}]
    if row.interrupt_at is not None and not agent.told_of_interruption:
        agent.told_of_interruption = True
        return [{"op": "interrupt", "notice": max(0.0, row.interrupt_at - time.time())}]
    return []
