"""The drill runs, finds nothing in a twin that loses nothing, and finds what is taken away behind its back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trainworks.testing import TestTwin

DRILL = Path(__file__).resolve().parents[2] / "drill"

# One who runs a customer as the drill does, loses something of his, and says what the audit found.
LOSS = """
import json, random, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from customer import Twin
from customers import CUSTOMERS
from ledger import Ledger
from trainworks.twin import lifecycle
from trainworks.twin.home import Home

said = []
home = Home(Path(sys.argv[2]))
twin = Twin(home, lifecycle.find(home))
customer = {each.__name__.lower(): each for each in CUSTOMERS}[sys.argv[3]](twin, Ledger(said.append), random.Random(1))
customer.prepare()
for _ in range(40):
    customer.step()
customer.audit()
honest = len(said)
for _ in range(40):
    customer.step()
exec(sys.argv[4])
customer.audit()
print(json.dumps([honest, said]))
"""

# Not by PurgeQueue: SQS refuses a second one within a minute, and the customer may have purged.
EMPTIED = (
    "taken = lambda: customer.sqs.receive_message(QueueUrl=customer.url, MaxNumberOfMessages=10).get('Messages', [])\n"
    "while found := taken():\n"
    "    for each in found: customer.sqs.delete_message(QueueUrl=customer.url, ReceiptHandle=each['ReceiptHandle'])"
)
LOSSES = {
    "objects": "key = next(k for k, r in customer.contents.items() if r.possible != {''}); "
    "customer.s3.delete_object(Bucket='drill-objects', Key=key)",
    "tables": "key = next(k for k, r in customer.items.items() if r.possible != {0}); "
    "customer.dynamodb.delete_item(TableName='drill-table', Key={'id': {'S': key}})",
    "queues": f"customer._send()\n{EMPTIED}",
    "ordered": f"customer._send()\n{EMPTIED}",
    "parameters": "customer.ssm.put_parameter(Name='/drill/value', Value='foreign', Type='String', Overwrite=True)",
    "metrics": "customer.known['m0'] += 1",
    "uploads": "key = next(iter(customer.whole)); customer.s3.delete_object(Bucket='drill-uploads', Key=key)",
    "logs": "customer.wanted.append('line that nobody stored')",
}


@pytest.mark.parametrize("customer", LOSSES)
def test_what_is_taken_away_is_found(twin: TestTwin, customer: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOSS, str(DRILL), str(twin.home.root), customer, LOSSES[customer]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    honest, said = json.loads(done.stdout)
    assert honest == 0, said
    assert any(line.startswith("LOST") for line in said), said


# A stack whose update does not succeed and is rolled back, while something was killed.
ROLLED_BACK = """
import json, random, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from customer import Twin
from customers.stacks import Stacks, template
from ledger import Ledger
from trainworks.twin import lifecycle
from trainworks.twin.home import Home

said = []
home = Home(Path(sys.argv[2]))
stacks = Stacks(Twin(home, lifecycle.find(home)), Ledger(said.append), random.Random(1))
stacks.prepare()
stacks.step()
(name,) = stacks.complete
broken = json.loads(template())
broken["Resources"]["Function"]["Properties"]["Code"] = {"S3Bucket": "nobodys-bucket", "S3Key": "code.zip"}

def update(**asked):
    return stacks.cloudformation.update_stack(**{**asked, "TemplateBody": json.dumps(broken)})

stacks.ledger.killed("server")
stacks._operate(name, update, "UPDATE_COMPLETE")
stacks.audit()
right = list(said)
stacks.ssm.put_parameter(Name=f"/{name}/number", Value="0", Type="String", Overwrite=True)
stacks.audit()
print(json.dumps([stacks.complete[name][1], right, said]))
"""


def test_a_stack_that_was_rolled_back_is_right_as_it_was_before(twin: TestTwin) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROLLED_BACK, str(DRILL), str(twin.home.root)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    status, right, said = json.loads(done.stdout)
    assert (status, right) == ("UPDATE_ROLLBACK_COMPLETE", [])
    assert [line.startswith("LOST") for line in said] == [True], said


@pytest.mark.slow
def test_a_short_drill_loses_nothing() -> None:
    done = subprocess.run(
        [sys.executable, DRILL / "run.py", "--minutes", "0.15", "--seed", "5", "--only", "objects", "--only", "queues",
         "--only", "jobs"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "0 lost, 0 ran or came twice" in done.stdout
    assert "killed:" in done.stdout
