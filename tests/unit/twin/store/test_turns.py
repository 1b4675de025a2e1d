"""The lock goes round: a thread that takes it again and again keeps nobody waiting."""

from __future__ import annotations

import threading
import time

from trainworks.twin.store.turns import Turns


def test_a_busy_thread_lets_others_have_their_turn() -> None:
    turns, stop, taken = Turns(), threading.Event(), [0]

    def hog() -> None:
        while not stop.is_set():
            with turns:
                taken[0] += 1
                time.sleep(0.001)

    threads = [threading.Thread(target=hog) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        longest = 0
        for _ in range(30):
            before = taken[0]
            with turns:
                longest = max(longest, taken[0] - before)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    # Those that waited before us, and one more that took its turn while we came to wait.
    assert longest <= len(threads) + 1


def test_it_is_reentrant_and_excludes_others() -> None:
    turns, inside, most = Turns(), [0], [0]

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
