"""The control plane of the twin: ministack, closed, made durable and extended. Nothing else imports it.

engine.py         loads the pinned version, refuses another, checks every signature that is touched (loading.py)
emulator.py       all of it as one object, with an ASGI entry; loop.py: the one thread that owns its state
dressing.py       which corrections each service gets when it is loaded: a table
gates.py          what a request passes before ministack sees it: its model, members/ that are read, what is offered
control_plane.py  `ports.ControlPlane` for our own services
durable/          touched rows into emulator.db before an answer leaves
iam/              who may do what: keys, role sessions, policies, roles that are passed
cloudformation/, s3/, cloudwatch/, functions/, events/, step_functions/, ec2/, logs/, sqs/: a service each
"""
