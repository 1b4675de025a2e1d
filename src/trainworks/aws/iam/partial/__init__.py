"""The decision of `aws.iam` if not everything is known: some values exist only after the deploy, others nobody may
read.

    statements.py   a document whose values may be `Unknown`      conditions.py   a condition: true, false or undecided
    evaluation.py   `aws.iam.evaluate` asked at each degree of certainty
    permissions.py  one identity's policies and boundary     trust.py   whether a service may assume a role

`check` builds the statements from templates, `doctor` from what IAM answers; both ask here.
"""
