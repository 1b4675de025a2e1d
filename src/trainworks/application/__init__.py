"""What every face of trainworks needs: the command line today, a dashboard later.

A function here joins several of the parts below (deploy with the check in front of it, a bill made from jobs and
prices, a diagnosis of whatever a name means). It takes plain arguments, returns records, raises errors of `errors.py`,
and reports progress by a function that it is given. It prints nothing, asks nothing and ends no process: parsing,
asking, showing and exiting are left to the face.
"""
