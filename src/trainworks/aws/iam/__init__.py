"""IAM's rules as pure functions: policy documents parsed, validated, and evaluated for one request. No calls are made.

    documents.py    text -> Policy, cached by content        validation.py   what the services refuse to store
    policy_places.py  which properties are documents, and of which kind
    variables.py    `${aws:username, 'nobody'}` in a value    ../wildcards.py `*` and `?`, without backtracking
    conditions.py   every operator and set prefix            principals.py   whom a Principal element names
    managed_policies.py  AWS's own, as far as they are known   partial/   the same if not everything is known
    evaluate.py     identity, resource, boundary, session policies -> Decision

After "Policy evaluation logic" and "IAM JSON policy elements reference" (IAM User Guide). The twin decides every call
by it; `check` and `doctor` read documents by it.
"""
