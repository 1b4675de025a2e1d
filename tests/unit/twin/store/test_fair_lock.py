"""The lock goes round: a thread that takes it again and again keeps nobody waiting."""

from __future__ import annotations

import threading

from tests.patience import until
from trainworks.twin.store.fair_lock import FairLock


def test_a_busy_thread_lets_others_have_their_turn() -> None:
    turns, taken = FairLock(), list[int]()

    def hog(number: int) -> None:
        for _ in range(30):
            with turns:
                taken.append(number)

    threads = [threading.Thread(target=hog, args=(number,)) for number in range(5)]
    with turns:
        for thread in threads:
            thread.start()
        until(lambda: len(turns._waiting) == len(threads), "all of them at the lock")
    for thread in threads:
        thread.join()
    # All waited: nobody has a second turn before everybody has had the first.
    assert sorted(taken[: len(threads)]) == list(range(len(threads)))


def test_it_is_reentrant_and_excludes_others() -> None:
    turns, inside, most = FairLock(), [0], [0]

    def work() -> None:
        for _ in range(200):
            with turns, turns:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
