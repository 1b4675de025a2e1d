"""Everybody who uses the twin during the drill."""

from __future__ import annotations

from customer import Customer

from customers.arrays import Arrays
from customers.events import Events
from customers.functions import Functions
from customers.jobs import Jobs
from customers.logs import Logs
from customers.machines import Machines
from customers.metrics import Metrics
from customers.objects import Objects
from customers.ordered import Ordered
from customers.parameters import Parameters
from customers.queues import Queues
from customers.stacks import Stacks
from customers.tables import Tables
from customers.training import Training
from customers.uploads import Uploads

CUSTOMERS: tuple[type[Customer], ...] = (
    Objects, Uploads, Tables, Queues, Ordered, Events, Parameters, Logs, Metrics, Stacks, Functions, Machines, Jobs,
    Arrays, Training,
)  # fmt: skip
