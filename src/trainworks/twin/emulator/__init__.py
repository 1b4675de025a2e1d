"""The control plane of the twin: ministack, closed, made durable and extended. Nothing else imports it.

engine         loads the pinned version, refuses another, checks every signature that is touched
authorization  who may do what: the root key, role sessions, AccessDenied messages with the resource
durability     touched rows into emulator.db before an answer leaves
stacks         nested stacks by the ordinary path, resource types of ours, interrupted operations
control_plane  `ports.ControlPlane` for our own services
emulator       all of it as one object, with an ASGI entry
"""
