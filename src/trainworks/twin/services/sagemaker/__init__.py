"""SageMaker, by kind of resource: `training/` has training jobs, `hosting/` models and what serves them;
`notebooks.py` records notebook instances. These rooms do not import one another; what they share is beside them:

service.py              all rooms behind one endpoint
kinds.py, tagging.py    kinds that are recorded; tags of every kind
refusals.py             errors, and failure_reasons.py: FailureReason
s3_uris.py, vpc_config.py, image_check.py, instances.py    what requests name, checked; pools of instances
role_sessions.py        the roles that SageMaker works as
container_variables.py, image_programs.py, script_requirements.py    what a container is started with
launch.py               runs in a container whose script has a requirements.txt
schedule.py             what is carried on when, and what becomes of faults; start_throttle.py: the pace of new ones
"""
