"""The gateway: requests to SageMaker endpoints, from the door of the twin to a container and back, on the event loop.

gateway.py    one invocation: permission, variant, container, answer or error
routing.py    which containers answer for an endpoint, and how many requests each has
upstream.py   connections to containers, kept and used again
doors.py      connections to a container's port (`ports.TaskDoor`)
tally.py      counts and latencies of requests, for metrics
messages.py   what a request to a container and an answer to the client look like
"""
