"""What an endpoint needs next, over any order of events."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from trainworks.states.endpoint import EndpointStatus
from trainworks.twin.ports import Caller, Credentials, TaskState
from trainworks.twin.services.sagemaker.hosting import decide as steps
from trainworks.twin.services.sagemaker.hosting.records import Container, Endpoint, Phase, Variant

ARN = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e"
ROLE = Credentials("a", "s", "t", 0.0, Caller("arn", "0", "us-east-1", "a"))
S = EndpointStatus


def variant(fleet: int, count: int = 2, name: str = "v") -> Variant:
    return Variant(ARN, fleet, 0, name, count, 1.0, {"InstanceType": "ml.m5.large"}, {}, ROLE)


class World:
    """An endpoint whose actions are done at once; the test ends containers, or says that they are ready."""

    def __init__(self, status: S = S.CREATING, fleet: int = 0, next_fleet: int = 1) -> None:
        self.endpoint = Endpoint(ARN, "e", "id", status, fleet, next_fleet, max(fleet, next_fleet))
        self.variants = [variant(each) for each in self.endpoint.fleets]
        self.containers: dict[str, Container] = {}
        self.now = 1000.0
        self.removed = False
        self.launched = 0

    def decide(self) -> steps.Action:
        return steps.decide(self.endpoint, self.variants, list(self.containers.values()), self.now)

    def change(self, container: Container, **changes: object) -> None:
        self.containers[container.task_id] = replace(container, **changes)  # type: ignore[arg-type]

    def run(self) -> steps.Action:
        """Do all that can be done; the action at which it stands still."""
        for _ in range(200):
            action = self.decide()
            if isinstance(action, steps.Wait | steps.Remove) or (
                isinstance(action, steps.Look) and not action.draining
            ):
                return action
            self.do(action)
        raise AssertionError("it goes round and round")

    def do(self, action: steps.Action) -> None:
        if isinstance(action, steps.Launch):
            for _ in range(action.count):
                self.launched += 1
                name = f"t{self.launched}"
                self.containers[name] = Container(
                    name, ARN, action.variant.fleet, action.variant.name, Phase.STARTING, TaskState.RUNNING,
                    self.now, self.now,
                )  # fmt: skip
        elif isinstance(action, steps.Look):
            self.end(*action.draining)
        elif isinstance(action, steps.Switch):
            new = self.endpoint.next_fleet
            self.endpoint = replace(self.endpoint, status=S.IN_SERVICE, fleet=new, next_fleet=0)
        elif isinstance(action, steps.Settle):
            self.endpoint = replace(self.endpoint, status=S.IN_SERVICE, scaling_since=0.0)
        elif isinstance(action, steps.GiveUp):
            status = S.FAILED if self.endpoint.status is S.CREATING else S.IN_SERVICE
            self.endpoint = replace(self.endpoint, status=status, next_fleet=0, scaling_since=0.0)
        elif isinstance(action, steps.Drain):
            for each in action.containers:
                self.change(each, phase=Phase.DRAINING, drained_at=self.now)
        elif isinstance(action, steps.Stop):
            self.end(*action.containers)
        elif isinstance(action, steps.Forget):
            for each in action.containers:
                del self.containers[each.task_id]
            self.variants = [each for each in self.variants if each.fleet != action.fleet]

    def end(self, *containers: Container) -> None:
        for each in containers:
            self.change(each, state=TaskState.EXITED, ended_at=self.now, stop_sent=True)

    def ready(self, *containers: Container) -> None:
        for each in containers:
            self.change(each, phase=Phase.SERVING, has_served=True)

    def starting(self) -> list[Container]:
        return [each for each in self.containers.values() if each.phase is Phase.STARTING and not each.has_ended]

    def serving(self, fleet: int | None = None) -> list[Container]:
        return [each for each in self.containers.values() if each.takes_requests and fleet in (None, each.fleet)]


def in_service(update_to: int = 0) -> World:
    world = World()
    world.run()
    world.ready(*world.starting())
    world.run()
    if update_to:
        world.endpoint = replace(world.endpoint, status=S.UPDATING, next_fleet=2, last_fleet=2)
        world.variants.append(variant(2, update_to))
    return world


def test_an_endpoint_is_in_service_when_all_its_containers_answer() -> None:
    world = World()
    assert isinstance(world.run(), steps.Look)
    first, second = world.starting()
    world.ready(first)
    world.run()
    assert world.endpoint.status is S.CREATING
    world.ready(second)
    assert world.run() == steps.Wait(None)
    assert world.endpoint.status is S.IN_SERVICE


def test_a_container_that_ends_or_is_late_fails_a_new_endpoint_and_all_of_it_ends() -> None:
    for is_late in (False, True):
        world = World()
        world.run()
        if is_late:
            world.now += 481
        else:
            world.change(world.starting()[0], state=TaskState.EXITED, ended_at=world.now, exit_code=1)
        world.run()
        assert world.endpoint.status is S.FAILED
        assert not world.containers
        assert not world.variants


def test_what_ends_is_launched_again_at_once_and_later_where_it_never_answered() -> None:
    world = in_service()
    world.change(world.serving()[0], state=TaskState.LOST, ended_at=world.now)
    world.run()
    (again,) = world.starting()
    world.change(again, state=TaskState.EXITED, ended_at=world.now)
    waited = world.run()
    assert isinstance(waited, steps.Wait)
    assert waited.until == world.now + 2
    world.now = waited.until
    world.run()
    assert len(world.starting()) == 1
    assert len(world.serving()) == 1


def test_an_update_that_fails_leaves_what_serves_and_one_that_comes_up_takes_its_place() -> None:
    world = in_service(update_to=3)
    world.run()
    world.change(world.starting()[0], state=TaskState.EXITED, ended_at=world.now)
    world.run()
    assert (world.endpoint.status, world.endpoint.fleet, len(world.serving(1))) == (S.IN_SERVICE, 1, 2)
    assert {each.fleet for each in world.containers.values()} == {1}
    world = in_service(update_to=3)
    world.run()
    world.ready(*world.starting())
    world.run()
    assert (world.endpoint.fleet, len(world.serving(2)), len(world.serving(1))) == (2, 3, 0)
    assert [each.fleet for each in world.variants] == [2]


def test_other_counts_are_reached_by_launching_or_draining_and_a_death_gives_them_up() -> None:
    world = in_service()
    for count in (3, 1):
        world.endpoint = replace(world.endpoint, status=S.UPDATING, scaling_since=world.now)
        world.variants = [replace(world.variants[0], count=count)]
        world.run()
        world.ready(*world.starting())
        world.run()
        assert (world.endpoint.status, len(world.serving())) == (S.IN_SERVICE, count)
    world.endpoint = replace(world.endpoint, status=S.UPDATING, scaling_since=world.now)
    world.variants = [replace(world.variants[0], count=2)]
    world.run()
    world.change(world.starting()[0], state=TaskState.EXITED, ended_at=world.now, exit_code=1)
    assert isinstance(world.decide(), steps.GiveUp)


def test_a_deleted_endpoint_is_removed_when_all_has_ended() -> None:
    world = in_service(update_to=1)
    world.run()
    world.endpoint = replace(world.endpoint, status=S.DELETING)
    assert world.run() == steps.Remove()
    assert all(each.has_ended for each in world.containers.values())


@settings(max_examples=150)
@given(st.data())
def test_an_update_under_deaths_never_leaves_an_endpoint_without_what_could_serve(data: st.DataObject) -> None:
    """Whatever ends in whichever order: old containers are drained only once the new fleet serves whole."""
    world = in_service(update_to=data.draw(st.integers(1, 3)))
    for _ in range(data.draw(st.integers(0, 8))):
        before = {each.task_id for each in world.serving(1)}
        world.run()
        gone = before - {each.task_id for each in world.serving()}
        if gone:
            assert world.endpoint.fleet == 2
            assert len(world.serving(2)) == world.variants[-1].count
        live = [each for each in world.containers.values() if not each.has_ended and each.phase is not Phase.DRAINING]
        if not live:
            break
        hit = data.draw(st.sampled_from(live))
        if data.draw(st.booleans()):
            world.change(hit, state=TaskState.LOST, ended_at=world.now)
        elif hit.phase is Phase.STARTING:
            world.ready(hit)
        world.now += data.draw(st.sampled_from([0.0, 1.0, 70.0]))
    for _ in range(100):
        world.ready(*world.starting())
        world.now += 61
        world.run()
    assert world.endpoint.status is S.IN_SERVICE
    wanted = world.variants[-1]
    assert len(world.serving(world.endpoint.fleet)) == wanted.count
    assert len(world.serving()) == wanted.count
