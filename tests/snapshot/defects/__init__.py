"""The faults of the platform that this one is measured against, as functions that find them on any platform.

Each yields a sentence a fault, none where the platform is right. `test_defects.py` runs them on ours and on that one.
"""
