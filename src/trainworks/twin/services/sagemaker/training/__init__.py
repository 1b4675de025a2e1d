"""SageMaker training jobs: the API, the state machine behind it, and what a job's container gets and leaves.

api.py          the operations; requests.py checks them, describe.py and listing.py answer them
records.py      a training job as a frozen record; store.py: its rows, and the one owner of its state changes
decide.py       what a job needs next, from its record and its tasks: a pure function
worker.py       carries that out: prepares, submits, stops, uploads, ends; goes on after a restart
prepare.py      one attempt's folder and tasks: inputs.py, source.py, container.py (files), environment.py (variables)
checkpoints.py  restore and continuous sync; outputs.py: model.tar.gz; metrics.py: log to CloudWatch, host metrics
"""
