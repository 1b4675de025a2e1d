"""The one owner of every change of a task's state: a thread that turns events into rows, and rows into leases.

Each turn is one transaction: journal entries become states (with the journal offset), what can be placed is placed, the
services' listeners write their rows. What has to be said to agents is said after the commit, and said again after a
crash between the two, because agents tell which lease they have.

    QUEUED --place--> PLACED --agent: started--> RUNNING --agent: ended--> EXITED
       \\--stop--> CANCELLED <--stop before start--/   \\----- instance ended -----> LOST

A task that had not begun when its instance failed has lost nothing: it is QUEUED again, and nobody is told. After some
times it is LOST all the same.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from sqlite3 import Connection

from trainworks.aws.instance_types import instance_type
from trainworks.twin.compute.channel import ChannelClosed, Message
from trainworks.twin.compute.fleet import Agent, Fleet
from trainworks.twin.compute.gpus import Gpus
from trainworks.twin.compute.journal import Entry, JournalReader
from trainworks.twin.compute.orders import claim, end_messages, lease_messages, stop_messages
from trainworks.twin.compute.placement import Host, Launch, Machine, PoolView, QueuedTask, offered, place
from trainworks.twin.compute.tables import InstanceRow, Load, PoolRow, Tables
from trainworks.twin.ports import TaskEvent, TaskState, Usage
from trainworks.twin.store import Database

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 0.5
_SPARE_DELAY_SECONDS = 0.5
_SPARE_RETRY_SECONDS = 10.0
_SHARED_COMMIT_SECONDS = 0.025
_QUEUE_WINDOW = 512
_LAUNCHES_PER_TURN = 64
_STARTING_AT_ONCE = max(2, len(os.sched_getaffinity(0)))
_START_SECONDS = 5.0
_LONGEST_BACKLOG = 64
_BACKLOG_SECONDS = 0.2
_MOST_TIMES_AGAIN = 3
_INSTANCE_FAILED = "instance failed"


@dataclass
class TurnEffects:
    """What a turn leaves to be done once it is committed."""

    offsets: dict[str, int]
    launched: list[Agent]
    gone: list[str]


class Engine:
    """`notify` gets the events of a turn inside its transaction; `on_usage` and `on_welcome` what agents tell."""

    def __init__(
        self,
        database: Database,
        fleet: Fleet,
        machine: Machine,
        gpus: Gpus,
        *,
        notify: Callable[[Connection, Sequence[TaskEvent]], None],
        on_usage: Callable[[Usage], None],
        on_welcome: Callable[[Message], None],
        keeps_spare: bool = True,
    ) -> None:
        self._database = database
        self._fleet = fleet
        self._machine = machine
        self._gpus = gpus
        self._notify = notify
        self._on_usage = on_usage
        self._on_welcome = on_welcome
        self._keeps_spare = keeps_spare
        self._agents: dict[str, Agent] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_reading, self._wake_writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_reading, selectors.EVENT_READ)
        self._dirty: set[str] = set()
        self._gone: set[str] = set()
        self._next_deadline: float | None = None
        self._spare_due: float | None = None
        self._journals_due: float | None = None
        self._last_turn = 0.0
        self._durations: dict[str, float] = {}
        self._running_since: dict[str, float] = {}
        self._is_held_back = False
        self._stopping = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="compute-engine", daemon=True)

    def start(self) -> None:
        """Find the agents of an earlier server again and start the thread."""
        self._find_agents()
        if self._keeps_spare:
            self._watch(self._fleet.keep_spare())
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """Something was committed, or is about to be in the caller's transaction: look at the tables.

        After `close` there is nobody to wake; the next server looks at the tables when it starts.
        """
        if self._closed:
            return
        with suppress(BlockingIOError):
            os.write(self._wake_writing, b"\0")

    def close(self) -> None:
        """Stop the thread; agents and their tasks go on."""
        self._stopping = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._closed = True
        for agent in self._agents.values():
            agent.close()
        self._fleet.close()
        self._selector.close()
        os.close(self._wake_reading)
        os.close(self._wake_writing)

    # The loop

    def _run(self) -> None:
        while True:
            due = self._listen()
            if self._stopping:
                return
            if due:
                self._turn_until_done()

    def _turn_until_done(self) -> None:
        while not self._stopping:
            try:
                self._turn()
                return
            except Exception:  # noqa: BLE001 - recorded with its traceback, and nothing is lost by trying again
                # Nothing of the turn was committed, so all of it is seen again. A full disk may have room by then.
                _LOG.exception("the compute engine could not commit a turn; it tries again")
                time.sleep(_RETRY_SECONDS)

    def _listen(self) -> bool:
        """Wait for something to do; whether the tables have to be looked at.

        If there are only messages of agents, a turn waits a moment after the last one, so that a stream of short tasks
        shares commits.
        """
        due = False
        for key, _ in self._selector.select(self._timeout()):
            if key.fd == self._wake_reading:
                with suppress(BlockingIOError):
                    os.read(self._wake_reading, 4096)
                due = True
            elif key.data is None:
                continue
            else:
                agent, is_process = key.data
                due |= self._note_end(agent) if is_process else self._hear(agent)
        now = time.time()
        if self._journals_due is not None and now >= self._journals_due:
            due = True
        if self._spare_due is not None and now >= self._spare_due:
            self._launch_spare()
        return due or (self._next_deadline is not None and now >= self._next_deadline)

    def _launch_spare(self) -> None:
        """Without a spare the next instance starts slower, no more: a failure is recorded and tried again later."""
        self._spare_due = None
        try:
            self._watch(self._fleet.keep_spare())
        except OSError:
            _LOG.exception("cannot start a spare instance agent")
            self._spare_due = time.time() + _SPARE_RETRY_SECONDS

    def _timeout(self) -> float | None:
        candidates = (self._next_deadline, self._spare_due, self._journals_due)
        deadlines = [each for each in candidates if each is not None]
        return max(0.0, min(deadlines) - time.time()) if deadlines else None

    def _hear(self, agent: Agent) -> bool:
        due = False
        try:
            messages = agent.channel.receive() if agent.channel is not None else []
        except ChannelClosed:
            self._reconnect(agent)
            return False
        for message in messages:
            match message["op"]:
                case "journal":
                    self._dirty.add(agent.instance_id)
                    self._journals_due = self._journals_due or self._last_turn + _SHARED_COMMIT_SECONDS
                case "usage":
                    self._on_usage(_usage(message))
                case "welcome":
                    self._on_welcome(message)
                    due |= agent.starts_since is not None and self._is_held_back
                    agent.starts_since = None
                    if agent.sent_lease is None:
                        agent.sent_lease = message["lease"]
                        agent.claimed = message["claimed"]
                        due = True
        return due

    def _reconnect(self, agent: Agent) -> None:
        """The connection has ended: most likely because the process has, which its pidfd will tell next."""
        self._forget_channel(agent)
        if agent is self._fleet.spare:
            return
        try:
            agent.channel = self._fleet.connect(agent.instance_id)
        except OSError:
            agent.fail()
            return
        agent.forget_what_was_said()
        self._selector.register(agent.channel, selectors.EVENT_READ, (agent, False))
        self._dirty.add(agent.instance_id)

    def _note_end(self, agent: Agent) -> bool:
        self._forget_channel(agent)
        self._selector.unregister(agent.pidfd)
        if self._fleet.spare is agent:
            self._fleet.give_up_spare()
            _LOG.error("the spare instance agent ended by itself; see its agent.log")
            return False
        self._gone.add(agent.instance_id)
        return True

    def _forget_channel(self, agent: Agent) -> None:
        if agent.channel is not None:
            self._selector.unregister(agent.channel)
            agent.channel.close()
            agent.channel = None

    def _watch(self, agent: Agent) -> None:
        if agent.channel is not None:
            self._selector.register(agent.channel, selectors.EVENT_READ, (agent, False))
        self._selector.register(agent.pidfd, selectors.EVENT_READ, (agent, True))

    def _find_agents(self) -> None:
        with self._database.transaction() as tx:
            rows = Tables(tx).instances()
        for row in rows:
            agent = self._fleet.adopt(row.instance_id, row.pid, row.pid_started_at, row.journal_offset)
            if agent is None:
                self._gone.add(row.instance_id)
            else:
                self._agents[row.instance_id] = agent
                self._watch(agent)
                self._dirty.add(row.instance_id)
        self._fleet.discard_unknown({row.instance_id for row in rows})

    # One turn

    def _turn(self) -> None:
        self._journals_due, self._last_turn = None, time.time()
        dirty, gone = set(self._dirty), set(self._gone)
        outcome = TurnEffects({}, [], [])
        try:
            with self._database.transaction() as tx:
                tables = Tables(tx)
                rows = {row.instance_id: row for row in tables.instances()}
                events = self._read_journals(tables, rows, dirty | gone, outcome)
                events += self._bury(tables, rows, gone, outcome)
                events += self._place_queued(tables, outcome)
                self._end_idle(tables)
                if events:
                    self._notify(tx, events)
        except BaseException:
            self._unlaunch(outcome.launched)
            raise
        self._dirty -= dirty
        self._gone -= gone
        self._after_commit(outcome)

    def _unlaunch(self, agents: Sequence[Agent]) -> None:
        for agent in agents:
            if agent.pidfd in self._selector.get_map():
                self._forget_channel(agent)
                self._selector.unregister(agent.pidfd)
            agent.kill()
            agent.close()
            self._fleet.discard(agent.instance_id)

    def _read_journals(
        self, tables: Tables, rows: dict[str, InstanceRow], instance_ids: set[str], outcome: TurnEffects
    ) -> list[TaskEvent]:
        events: list[TaskEvent] = []
        for instance_id in sorted(instance_ids & rows.keys()):
            row = rows[instance_id]
            entries, offset = self._journal(row).read()
            for entry in entries:
                events += self._apply(tables, row, entry)
            if entries:
                tables.set_journal_offset(instance_id, offset)
                outcome.offsets[instance_id] = offset
        return events

    def _journal(self, row: InstanceRow) -> JournalReader:
        agent = self._agents.get(row.instance_id)
        return agent.journal if agent is not None else self._fleet.journal_of(row.instance_id, row.journal_offset)

    def _apply(self, tables: Tables, row: InstanceRow, entry: Entry) -> list[TaskEvent]:
        """One journal entry as a change of state; none when the task has moved on already."""
        task_id, state, at = entry["t"], TaskState(entry["s"]), entry["at"]
        if state is TaskState.LOST and entry.get("reason") == _INSTANCE_FAILED:
            return self._lose(tables, row, [task_id], at, _INSTANCE_FAILED, agent_lives=True)
        if state is TaskState.RUNNING:
            self._running_since[task_id] = at
            changed = tables.running(task_id)
        else:
            changed = tables.ended(task_id)
            self._learn_duration(row.pool_id, task_id, at)
        if not changed:
            return []
        code, reason = entry.get("code"), entry.get("reason", "")
        return [TaskEvent(task_id, state, at, row.instance_id, row.instance_type, code, reason)]

    def _learn_duration(self, pool_id: str, task_id: str, ended_at: float) -> None:
        started_at = self._running_since.pop(task_id, None)
        if started_at is not None:
            before = self._durations.get(pool_id, ended_at - started_at)
            self._durations[pool_id] = 0.8 * before + 0.2 * (ended_at - started_at)

    def _bury(
        self, tables: Tables, rows: dict[str, InstanceRow], instance_ids: set[str], outcome: TurnEffects
    ) -> list[TaskEvent]:
        """Ended instances: their journals have been read to the end, so tasks without an end in them are lost."""
        events: list[TaskEvent] = []
        active = tables.active_tasks() if instance_ids else {}
        now = time.time()
        for instance_id in sorted(instance_ids & rows.keys()):
            row = rows[instance_id]
            reason = row.end_reason or ("spot interruption" if row.interrupt_at is not None else _INSTANCE_FAILED)
            events += self._lose(tables, row, active.get(instance_id, []), now, reason, agent_lives=False)
            tables.forget_instance(instance_id)
            outcome.gone.append(instance_id)
        return events

    def _lose(
        self, tables: Tables, row: InstanceRow, task_ids: Sequence[str], at: float, reason: str, *, agent_lives: bool
    ) -> list[TaskEvent]:
        """Tasks whose instance, or part of it, has ended under them: LOST, or placed again where they had not begun."""
        unbegun: set[str] = set()
        if reason == _INSTANCE_FAILED and (placed := tables.placed_of(row.instance_id, task_ids)):
            unbegun.update(self._fleet.never_begun(row.instance_id, row.launched_at, placed, agent_lives=agent_lives))
        events: list[TaskEvent] = []
        for task_id in task_ids:
            self._running_since.pop(task_id, None)
            if task_id in unbegun and tables.queue_again(task_id, _MOST_TIMES_AGAIN):
                _LOG.warning("the instance %s failed before %s began: it is placed again", row.instance_id, task_id)
            elif tables.ended(task_id):
                events.append(TaskEvent(task_id, TaskState.LOST, at, row.instance_id, row.instance_type, reason=reason))
        return events

    def _place_queued(self, tables: Tables, outcome: TurnEffects) -> list[TaskEvent]:
        self._is_held_back = False
        waiting = tables.pools_with_queue()
        if not waiting:
            return []
        pools, rows, load = tables.pools(), tables.instances(), tables.load()
        free_devices = self._free_devices(tables)
        machine = self._machine_left(pools, rows, load, len(free_devices))
        events: list[TaskEvent] = []
        for pool_id in waiting:
            if pool_id not in pools or pools[pool_id].deleted:
                continue
            launches = self._launches_now(outcome)
            if not launches and not any(row.pool_id == pool_id and row.takes_tasks for row in rows):
                continue  # of a crowd nearly all are in this place in nearly every turn
            view = self._pool_view(pools[pool_id], rows, load)
            if not _can_take_more(view):
                continue
            room = sum(view.backlog_limit - host.backlog for host in view.hosts)
            window = min(_QUEUE_WINDOW, room + _LAUNCHES_PER_TURN) if room > 0 else _QUEUE_WINDOW
            queue = [QueuedTask(*row) for row in tables.queued(pool_id, window)]
            plan = place(view, queue, machine, islice(self._fleet.new_ids(), launches))
            machine = plan.machine
            for launch in plan.launches:
                rows.append(self._launch(tables, pools[pool_id], launch, outcome))
            types = {row.instance_id: row for row in rows}
            by_instance: dict[str, list[tuple[str, bool]]] = {}
            for placement in plan.placements:
                by_instance.setdefault(placement.instance_id, []).append((placement.task_id, placement.backlog))
                tables.take_devices(placement.task_id, free_devices[: placement.devices])
                del free_devices[: placement.devices]
            now = time.time()
            for instance_id, tasks in by_instance.items():
                row = types[instance_id]
                tables.place(instance_id, row.last_lease + 1, tasks)
                events += [
                    TaskEvent(task_id, TaskState.PLACED, now, instance_id, row.instance_type) for task_id, _ in tasks
                ]
        return events

    def _launches_now(self, outcome: TurnEffects) -> int:
        """How many instances a pool may launch: none while as many are starting as this machine can start at a time.

        More would only wait for one another while they start, and everything else would wait too. A gang whose turn it
        is is launched whole.
        """
        now = time.monotonic()
        # An agent that has been silent for that long delays nobody.
        count = sum(
            agent.starts_since is not None and now - agent.starts_since < _START_SECONDS
            for agent in (*self._agents.values(), *outcome.launched)
        )
        self._is_held_back |= count >= _STARTING_AT_ONCE
        return 0 if count >= _STARTING_AT_ONCE else _LAUNCHES_PER_TURN

    def _free_devices(self, tables: Tables) -> list[str]:
        if not self._gpus:
            return []
        tables.release_orphans()
        used = {device_id for device_ids in tables.devices().values() for device_id in device_ids}
        return [device_id for device_id in self._gpus.devices if device_id not in used]

    def _machine_left(
        self, pools: dict[str, PoolRow], rows: Sequence[InstanceRow], load: dict[str, Load], free_gpus: int
    ) -> Machine:
        shared = [
            host_of(row, load[row.instance_id], exclusive=False)
            for row in rows
            if row.instance_id in load and row.pool_id in pools and not pools[row.pool_id].spec.exclusive
        ]
        return Machine(
            self._machine.vcpus - sum(each.vcpus for each in shared),
            self._machine.memory_mib - sum(each.memory_mib for each in shared),
            len(self._gpus),
            free_gpus,
        )

    def _pool_view(self, pool: PoolRow, rows: Sequence[InstanceRow], load: dict[str, Load]) -> PoolView:
        own = [row for row in rows if row.pool_id == pool.spec.pool_id]
        exclusive = pool.spec.exclusive
        hosts = [host_of(row, load.get(row.instance_id, Load()), exclusive=exclusive) for row in own if row.takes_tasks]
        return PoolView(
            pool.spec.pool_id,
            [offered(name, exclusive=exclusive) for name in pool.spec.instance_types],
            hosts,
            exclusive=exclusive,
            max_vcpus=pool.spec.max_vcpus,
            other_vcpus=sum(instance_type(row.instance_type).vcpus for row in own if not row.takes_tasks),
            backlog_limit=self._backlog_limit(pool.spec.pool_id),
        )

    def _backlog_limit(self, pool_id: str) -> int:
        """As many tasks as recent ones of the pool would be through with in a fifth of a second, or none."""
        duration = self._durations.get(pool_id)
        return 0 if duration is None else min(_LONGEST_BACKLOG, int(_BACKLOG_SECONDS / max(duration, 0.001)))

    def _launch(self, tables: Tables, pool: PoolRow, launch: Launch, outcome: TurnEffects) -> InstanceRow:
        agent = self._fleet.take(launch.instance_id)
        outcome.launched.append(agent)
        prefix = "ml." if any(name.startswith("ml.") for name in pool.spec.instance_types) else ""
        row = InstanceRow(
            launch.instance_id,
            pool.spec.pool_id,
            prefix + launch.kind.name,
            pool.spec.market.value,
            time.time(),
            agent.pid,
            agent.started_at,
        )
        tables.put_instance(row)
        return row

    def _end_idle(self, tables: Tables) -> None:
        """Start and keep the idle times, end instances whose time is over, forget pools that were waiting for that."""
        self._next_deadline = None
        pools, load, now = tables.pools(), tables.load(), time.time()
        with_instances: set[str] = set()
        for row in tables.instances():
            with_instances.add(row.pool_id)
            if row.instance_id in load or not row.takes_tasks:
                continue
            pool = pools.get(row.pool_id)
            idle_seconds = pool.spec.idle_seconds if pool is not None else 0.0
            if row.idle_since is None:
                tables.set_idle_since(row.instance_id, now)
            since = now if row.idle_since is None else row.idle_since
            if now - since >= idle_seconds:
                tables.end_instance(row.instance_id, "instance terminated")
            else:
                self._next_deadline = min(self._next_deadline or since + idle_seconds, since + idle_seconds)
        if self._is_held_back:
            self._next_deadline = min(self._next_deadline or now + _START_SECONDS, now + _START_SECONDS)
        for pool_id, pool_row in pools.items():
            if pool_row.deleted and pool_id not in with_instances:
                tables.forget_pool(pool_id)
                self._durations.pop(pool_id, None)

    # What follows a commit

    def _after_commit(self, outcome: TurnEffects) -> None:
        for launched in outcome.launched:
            launched.sent_lease = 0
            self._agents[launched.instance_id] = launched
            if launched.pidfd not in self._selector.get_map():  # a former spare is watched already
                self._watch(launched)
        for instance_id, offset in outcome.offsets.items():
            if instance_id in self._agents:
                self._agents[instance_id].journal.offset = offset
        for instance_id in outcome.gone:
            agent = self._agents.pop(instance_id, None)
            if agent is not None:
                agent.close()
            self._fleet.discard(instance_id)
        if self._keeps_spare and self._fleet.spare is None and self._spare_due is None:
            self._spare_due = time.time() + _SPARE_DELAY_SECONDS
        self._speak()

    def _speak(self) -> None:
        with self._database.transaction() as tx:
            tables = Tables(tx)
            rows, pools = tables.instances(), tables.pools()
            stops = tables.stops()
            devices = tables.devices() if self._gpus else {}
            leases = {
                row.instance_id: tables.leased(row.instance_id, agent.sent_lease)
                for row in rows
                if (agent := self._agents.get(row.instance_id)) is not None
                and agent.sent_lease is not None
                and agent.sent_lease < row.last_lease
            }
        for row in rows:
            agent_of_row = self._agents.get(row.instance_id)
            if agent_of_row is None or agent_of_row.sent_lease is None:
                continue
            pool = pools.get(row.pool_id)
            messages: list[Message | bytes] = []
            if not agent_of_row.claimed and pool is not None:
                agent_of_row.claimed = True
                messages.append(claim(row, pool, self._machine))
            messages += lease_messages(row, leases.get(row.instance_id, []), pool, self._gpus, devices)
            agent_of_row.sent_lease = max(agent_of_row.sent_lease, row.last_lease)
            messages += stop_messages(agent_of_row, [each for each in stops if each["instance_id"] == row.instance_id])
            messages += end_messages(agent_of_row, row)
            agent_of_row.send(*messages)


def host_of(row: InstanceRow, load: Load, *, exclusive: bool) -> Host:
    """The instance with what runs on it at most: its agent starts no more of a backlog than it has room for."""
    kind = offered(row.instance_type, exclusive=exclusive)
    vcpus, memory_mib = min(load.vcpus, kind.vcpus), min(load.memory_mib, kind.memory_mib)
    return Host(row.instance_id, kind, vcpus, memory_mib, min(load.gpus, kind.gpus), load.tasks, load.backlog)


def _can_take_more(view: PoolView) -> bool:
    """Whether to look at a pool's queue: agents that work off a backlog are given more when half of it is left."""
    return not (
        view.backlog_limit
        and view.hosts
        and all(host.tasks and host.backlog > view.backlog_limit // 2 for host in view.hosts)
    )


def _usage(message: Message) -> Usage:
    return Usage(message["task_id"], message["at"], message["cpu"], message["memory"], message["disk"])
