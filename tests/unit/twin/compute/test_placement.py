"""Placement keeps its promises whatever is queued, whatever ends, in whatever order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trainworks.aws.instance_types import InstanceType, instance_type
from trainworks.twin.compute.engine import host_of
from trainworks.twin.compute.placement import Host, Machine, Plan, PoolView, QueuedTask, place
from trainworks.twin.compute.tables import InstanceRow, Load

LARGE, XLARGE, GPU = instance_type("m5.large"), instance_type("m5.xlarge"), instance_type("g5.xlarge")
ROOMY = Machine(1000, 1 << 30)


def _pool(*hosts: Host, kinds: tuple[InstanceType, ...] = (XLARGE, LARGE), **options: object) -> PoolView:
    return replace(PoolView("pool", kinds, hosts), **options)  # type: ignore[arg-type]


def _ids() -> Iterator[str]:
    return (f"i-{number}" for number in count())


def _request(task_id: str = "t", vcpus: float = 1, memory_mib: int = 512, **options: object) -> QueuedTask:
    return replace(QueuedTask(task_id, vcpus, memory_mib), **options)  # type: ignore[arg-type]


def test_launches_the_smallest_type_that_fits() -> None:
    plan = place(_pool(), [_request(vcpus=3)], ROOMY, _ids())
    assert [launch.kind for launch in plan.launches] == [XLARGE]
    assert [launch.kind for launch in place(_pool(), [_request()], ROOMY, _ids()).launches] == [LARGE]


def test_prefers_a_running_instance_with_room_and_of_these_the_fullest() -> None:
    hosts = Host("empty", LARGE), Host("half", LARGE, vcpus=1, memory_mib=512, tasks=1)
    plan = place(_pool(*hosts), [_request()], ROOMY, _ids())
    assert [placement.instance_id for placement in plan.placements] == ["half"]
    assert not plan.launches


def test_what_never_fits_holds_nobody_back_and_what_waits_does() -> None:
    never, large, small = _request("never", vcpus=64), _request("large", vcpus=4), _request("small")
    plan = place(_pool(max_vcpus=2), [never, large, small], ROOMY, _ids())
    assert not plan.placements
    plan = place(_pool(max_vcpus=2), [never, small], ROOMY, _ids())
    assert [placement.task_id for placement in plan.placements] == ["small"]


def test_gpu_tasks_go_on_gpu_types_and_others_do_not() -> None:
    plan = place(_pool(kinds=(GPU, LARGE)), [_request("gpu", gpus=1), _request("cpu")], ROOMY, _ids())
    assert [launch.kind for launch in plan.launches] == [GPU]
    assert len({placement.instance_id for placement in plan.placements}) == 1
    assert place(_pool(kinds=(GPU, LARGE)), [_request()], ROOMY, _ids()).launches[0].kind == LARGE


def test_an_incomplete_gang_is_not_started() -> None:
    member = _request("one", gang_id="g", gang_size=2)
    assert not place(_pool(), [member], ROOMY, _ids()).placements


def test_machine_limits_shared_pools_only() -> None:
    requests = [_request(f"t{number}") for number in range(6)]
    assert len(place(_pool(), requests, Machine(2, 4096), _ids()).placements) == 2
    assert len(place(_pool(exclusive=True), requests, Machine(2, 4096), _ids()).placements) == 6


def test_backlog_fills_up_behind_busy_instances() -> None:
    busy = Host("i", LARGE, vcpus=2, memory_mib=1024, tasks=2)
    requests = [_request(f"t{number}") for number in range(10)]
    plan = place(_pool(busy, max_vcpus=2, backlog_limit=4), requests, Machine(0, 0), _ids())
    assert [placement.backlog for placement in plan.placements] == [True] * 4


def test_an_instance_with_room_takes_a_task_though_its_agent_has_not_begun_the_one_before() -> None:
    begun = Host("begun", LARGE, vcpus=1, memory_mib=512, tasks=1, backlog=1)
    plan = place(_pool(begun, backlog_limit=4), [_request()], Machine(1, 4096), _ids())
    assert [(each.instance_id, each.backlog) for each in plan.placements] == [("begun", False)]
    assert not plan.launches, "an instance that nothing needs costs a start"


def test_a_backlog_counts_as_far_as_its_instance_can_start_it() -> None:
    """Else an array of short tasks would launch instance after instance that this machine cannot carry."""
    row = InstanceRow("i", "pool", "m5.large", "EC2", 0.0, 1, 1)
    host = host_of(row, Load(tasks=9, backlog=8, vcpus=9, memory_mib=900), exclusive=False)
    assert (host.vcpus, host.memory_mib, host.backlog) == (2, 900, 8)


class Placing(RuleBasedStateMachine):
    """Tasks and gangs arrive and end; after each planning what AWS would promise must hold."""

    exclusive = False
    machine = Machine(12, 20_000)
    max_vcpus = 16

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count()
        self.queue: list[QueuedTask] = []
        self.hosts: dict[str, Host] = {}
        self.placed: dict[str, tuple[str, QueuedTask]] = {}
        self.ids = _ids()

    @rule(vcpus=st.sampled_from([0.25, 1, 2, 4, 8]), memory_mib=st.integers(4, 40_000), gpus=st.integers(0, 1))
    def submit(self, vcpus: float, memory_mib: int, gpus: int) -> None:
        self.queue.append(QueuedTask(f"t{next(self.numbers)}", vcpus, memory_mib, gpus))

    @rule(size=st.integers(2, 4), vcpus=st.sampled_from([1, 2, 4]))
    def submit_gang(self, size: int, vcpus: int) -> None:
        gang = f"g{next(self.numbers)}"
        self.queue += [QueuedTask(f"{gang}-{n}", vcpus, 512, 0, gang, size) for n in range(size)]

    @rule(data=st.data())
    def end_task(self, data: st.DataObject) -> None:
        if self.placed:
            task_id = data.draw(st.sampled_from(sorted(self.placed)))
            instance_id, request = self.placed.pop(task_id)
            host = self.hosts[instance_id]
            self.hosts[instance_id] = replace(
                host,
                vcpus=host.vcpus - request.vcpus,
                memory_mib=host.memory_mib - request.memory_mib,
                gpus=host.gpus - request.gpus,
                tasks=host.tasks - 1,
            )

    @rule(data=st.data())
    def end_instance(self, data: st.DataObject) -> None:
        if self.hosts:
            gone = data.draw(st.sampled_from(sorted(self.hosts)))
            del self.hosts[gone]
            self.placed = {task: where for task, where in self.placed.items() if where[0] != gone}

    @rule()
    def plan(self) -> None:
        kinds = (LARGE, XLARGE, GPU)
        view = PoolView("pool", kinds, tuple(self.hosts.values()), self.exclusive, self.max_vcpus)
        used = [request for _, request in self.placed.values()]
        left = Machine(
            self.machine.vcpus - sum(each.vcpus for each in used),
            self.machine.memory_mib - sum(each.memory_mib for each in used),
        )
        nothing_ran = not self.placed
        plan = place(view, self.queue, left, self.ids)
        self._check_machine(plan, left, nothing_ran)
        self._carry_out(plan)

    def _carry_out(self, plan: Plan) -> None:
        for launch in plan.launches:
            assert launch.instance_id not in self.hosts
            self.hosts[launch.instance_id] = Host(launch.instance_id, launch.kind)
        requests = {request.task_id: request for request in self.queue}
        for placement in plan.placements:
            assert placement.task_id not in self.placed
            request = requests[placement.task_id]
            self.hosts[placement.instance_id] = self.hosts[placement.instance_id].with_task(request)
            self.placed[placement.task_id] = (placement.instance_id, request)
        used_launches = {placement.instance_id for placement in plan.placements}
        assert {launch.instance_id for launch in plan.launches} <= used_launches, "nothing is launched for nobody"
        chosen = {placement.task_id for placement in plan.placements}
        self._check_gangs(chosen, plan)
        self.queue = [request for request in self.queue if request.task_id not in chosen]

    def _check_gangs(self, chosen: set[str], plan: Plan) -> None:
        where = {placement.task_id: placement.instance_id for placement in plan.placements}
        for gang in {request.gang_id for request in self.queue if request.gang_id}:
            members = {request.task_id for request in self.queue if request.gang_id == gang}
            assert members <= chosen or not members & chosen, "a gang starts whole or not at all"
            if members <= chosen:
                assert len({where[member] for member in members}) == len(members), "on instances of their own"

    def _check_machine(self, plan: Plan, left: Machine, nothing_ran: bool) -> None:
        requests = {request.task_id: request for request in self.queue}
        started = [requests[placement.task_id] for placement in plan.placements]
        alone = nothing_ran and len({request.gang_id or request.task_id for request in started}) == 1
        if not self.exclusive and not alone and started:
            assert plan.machine.vcpus >= 0 or nothing_ran
            assert sum(each.vcpus for each in started) <= max(left.vcpus, 0) or nothing_ran

    @invariant()
    def no_instance_is_overcommitted(self) -> None:
        for host in self.hosts.values():
            assert host.vcpus <= host.kind.vcpus
            assert host.memory_mib <= host.kind.memory_mib
            assert host.gpus <= host.kind.gpus
            assert not self.exclusive or host.tasks <= 1

    @invariant()
    def the_pool_stays_within_max_vcpus(self) -> None:
        assert sum(host.kind.vcpus for host in self.hosts.values()) <= self.max_vcpus


class PlacingExclusively(Placing):
    exclusive = True


TestPlacing = Placing.TestCase
TestPlacingExclusively = PlacingExclusively.TestCase
TestPlacing.settings = TestPlacingExclusively.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
