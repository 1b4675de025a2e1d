"""The pace at which new training jobs begin."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from trainworks.twin.services.sagemaker.start_throttle import StartThrottle

CORES = 2
gaps = st.lists(st.sampled_from([0.0, 0.003, 0.02, 0.3, 2.0]), min_size=1, max_size=300)


def begin_all(moments: list[float], cores: int = CORES) -> list[tuple[int, float, float]]:
    """`(number, arrived at, begun at)` in the order in which the jobs begin, asked only when there is reason to."""
    arrivals, now = StartThrottle(cores), 0.0
    begun: list[tuple[int, float, float]] = []
    coming = list(enumerate(moments))
    while len(begun) < len(moments):
        while coming and coming[0][1] <= now:
            number, at = coming.pop(0)
            arrivals.add(str(number), at)
        begun += [(int(job), moments[int(job)], now) for job in arrivals.due(now)]
        following = [at for at in (arrivals.next_due(now), coming[0][1] if coming else None) if at is not None]
        now = max(now + 1e-6, min(following)) if following else now
    return begun


@given(gaps)
def test_every_job_begins_in_its_turn_and_soon_after_the_crowd(gaps: list[float]) -> None:
    moments = list(accumulate(gaps, initial=10.0))
    begun = begin_all(moments)
    assert [number for number, _, _ in begun] == list(range(len(moments)))
    assert all(at >= arrived for _, arrived, at in begun)
    assert begun[-1][2] <= moments[-1] + 0.2 + len(moments) / (CORES * 25)
    assert all(at <= arrived + 10.2 + len(moments) / (CORES * 25) for _, arrived, at in begun)


@given(st.integers(1, 16))
def test_as_many_jobs_as_cores_begin_at_once(cores: int) -> None:
    begun = begin_all([10.0] * (cores + 1), cores)
    assert [at for _, _, at in begun[:cores]] == [10.0] * cores
    assert 0 < begun[cores][2] - 10.0 <= 0.2


def test_a_job_that_comes_alone_begins_at_once() -> None:
    assert all(at == arrived for _, arrived, at in begin_all([10.0 + 0.5 * number for number in range(50)]))


def test_few_jobs_begin_while_many_are_accepted() -> None:
    moments = [10.0 + number / 100 for number in range(300)]
    begun = [at for _, _, at in begin_all(moments)]
    assert sum(at <= moments[-1] for at in begun) <= CORES + 3 * CORES * 2.5 + 1


def test_jobs_begin_at_the_full_pace_though_requests_never_end() -> None:
    moments = [10.0 + number / 20 for number in range(1000)]
    waits = [at - arrived for _, arrived, at in begin_all(moments)]
    assert max(waits) <= 10.3
