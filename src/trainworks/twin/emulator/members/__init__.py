"""Which request members of ministack's operations are used, recorded or refused.

`reading.py` derives from ministack's source what each handler reads, `members.json` is what it found for the pinned
version, `ledger.py` adds what people know better, and answers for the gate in front of ministack and for the docs.
"""
