"""The decision of `aws.iam` where not everything is known: what the deploy alone tells, what nobody may read.

    statements.py   a document whose values may be `Unknown`      conditions.py   a condition: true, false or undecided
    evaluation.py   `aws.iam.evaluate` asked at each degree of certainty
    permissions.py  one identity's policies and boundary     trust.py   whether a service may assume a role

`check` builds the statements from templates, `doctor` from what IAM answers; both ask here.
"""
