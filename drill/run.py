"""Kill every process of a twin, again and again, while customers use it; then look for what was acknowledged and lost.

    python3 dev.py drill [--seed N] [--minutes M] [--only CUSTOMER ...] [--keep]

1. a twin in a home of its own, and a thread for each customer (`customers/`)
2. every few seconds a process is killed, or the twin is stopped in order (`kills.py`); what ended is started again
3. from time to time the customers stop and everything that was acknowledged is looked at: the audit
4. the report: what was killed, what was acknowledged, what was lost, ran twice or was left behind; exit 1 if anything

The seed decides what is killed and when, and what the customers do; how the threads interleave is the machine's.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

from botocore.exceptions import ClientError
from customer import Customer, CutOff, Twin, is_server_error
from customers import CUSTOMERS
from kills import Killer
from ledger import Ledger

from trainworks.errors import TrainworksError
from trainworks.twin import lifecycle
from trainworks.twin.home import Home

AUDITS = 4
ORPHAN_SECONDS = 5.0
PAUSE_SECONDS = (0.5, 6.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0], prog="dev.py drill")
    parser.add_argument("--seed", type=int, default=0, help="what is killed and done is drawn from it")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long processes are killed")
    parser.add_argument("--only", action="append", choices=[each.__name__.lower() for each in CUSTOMERS])
    parser.add_argument("--keep", action="store_true", help="leave the home when something was found")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="tw-drill-"))
    drill = Drill(Home(root / "home"), options.seed, options.minutes * 60, options.only)
    try:
        drill.run()
    finally:
        lifecycle.stop(drill.home)
    drill.look_for_orphans()
    drill.report()
    if drill.ledger.found and options.keep:
        print(f"the twin's home is left at {drill.home.root}")
    else:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if drill.ledger.found else 0


class Drill:
    def __init__(self, home: Home, seed: int, seconds: float, only: list[str] | None) -> None:
        self.home = home
        self.seed = seed
        self.ledger = Ledger(_say)
        self._seconds = seconds
        self._chance = random.Random(seed)
        self._killer = Killer(home, random.Random(seed + 1))
        self._only = only
        self._errors: Counter[str] = Counter()
        self._restarts: list[float] = []

    def run(self) -> None:
        twin = Twin(self.home, self._killer.start())
        customers = [
            make(twin, self.ledger, random.Random(f"{self.seed} {make.__name__}"))
            for make in CUSTOMERS
            if not self._only or make.__name__.lower() in self._only
        ]
        for customer in customers:
            customer.prepare()
        for number in range(AUDITS):
            self._kill_for(self._seconds / AUDITS, customers)
            for customer in customers:
                self._audit(customer)
            _say(f"audit {number + 1} of {AUDITS}: {self._sums()}")

    def look_for_orphans(self) -> None:
        """After a stop nothing of this home may run; the kernel gets some time to end what was killed."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        while self._killer.leftovers() and time.monotonic() < deadline:
            time.sleep(0.1)
        for left in self._killer.leftovers():
            self.ledger.find("orphan", "processes", left)

    def report(self) -> None:
        kills = Counter(what for _, what in self.ledger.kills)
        print(f"\nseed {self.seed}, {self._seconds / 60:.1f} minutes, {sum(kills.values())} kills")
        print("killed:       " + ", ".join(f"{count} {what}" for what, count in kills.most_common()))
        if self._restarts:
            slowest = max(self._restarts)
            print(f"answered:     {sorted(self._restarts)[len(self._restarts) // 2]:.2f} s after a kill in the median, "
                  f"{slowest:.2f} s at worst")  # fmt: skip
        for name, count in sorted(self.ledger.acknowledged.items()):
            cut, audited = self.ledger.cut_off[name], self.ledger.audited[name]
            print(f"{name:<12}  {count} calls acknowledged, {cut} cut off, {audited} facts looked at")
        print(f"\n{self._sums()}")

    def _kill_for(self, seconds: float, customers: list[Customer]) -> None:
        resting = threading.Event()
        threads = [threading.Thread(target=self._use, args=(each, resting), name=each.name) for each in customers]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                time.sleep(self._chance.uniform(*PAUSE_SECONDS))
                self._strike()
        finally:
            resting.set()
            for thread in threads:
                thread.join()
            self._killer.recover()

    def _strike(self) -> None:
        struck = time.monotonic()
        what = self._killer.strike()
        if what:
            self.ledger.killed(what)
        try:
            self._killer.recover()
        except TrainworksError as error:
            self.ledger.find("error", "twin", f"does not start after a kill of {what}: {error}")
            raise
        if what:
            self._restarts.append(time.monotonic() - struck)

    def _use(self, customer: Customer, resting: threading.Event) -> None:
        while not resting.is_set():
            try:
                customer.step()
            except CutOff:
                self.ledger.cut(customer.name)
                time.sleep(0.1)
            except ClientError as error:
                self._blame(customer, error)
                time.sleep(0.1)
            except Exception:  # noqa: BLE001 - whatever a customer meets is a finding, with its traceback
                self.ledger.find("error", customer.name, traceback.format_exc(limit=-3))
                time.sleep(1.0)

    def _audit(self, customer: Customer) -> None:
        try:
            customer.audit()
        except (ClientError, *CutOff):
            self.ledger.find("error", customer.name, f"audit: {traceback.format_exc(limit=-3)}")

    def _blame(self, customer: Customer, error: ClientError) -> None:
        """The twin may be gone for a moment; it may not answer wrongly."""
        text = f"{error.operation_name}: {error}"
        self._errors[text] += 1
        if self._errors[text] <= 3:
            self.ledger.find("error" if is_server_error(error) else "wrong", customer.name, text)

    def _sums(self) -> str:
        found = self.ledger.found
        acknowledged = sum(self.ledger.acknowledged.values())
        return (
            f"{acknowledged} calls acknowledged, {sum(self.ledger.audited.values())} facts looked at: "
            f"{found['lost']} lost, {found['twice']} ran or came twice, {found['wrong']} wrong, "
            f"{found['orphan']} left behind, {found['error']} errors"
        )


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
