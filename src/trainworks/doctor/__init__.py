"""Why is it stuck? Causes with evidence and fix, most likely first, for a job, a stack, or the installation.

    look       `batch/look.py`, `training/look.py`, ...: API calls and system calls --> frozen records of `Look`s
    conclude   `batch/causes.py`, `training/causes.py`, ...: records --> `Finding`s, pure functions
    show       `Diagnosis`: findings in their order, exit code

AWS and the twin are asked by the same calls, through boto3 clients that are given as arguments. What could not be asked
(denied, not offered by the endpoint, no answer) is a finding as well.
"""

from trainworks.doctor.finding import Diagnosis, Evidence, Finding, Likelihood, Outcome, diagnosis
from trainworks.doctor.looking import Look, Looker, could_not_look

__all__ = [
    "Diagnosis",
    "Evidence",
    "Finding",
    "Likelihood",
    "Look",
    "Looker",
    "Outcome",
    "could_not_look",
    "diagnosis",
]
