"""SageMaker hosting: models, endpoint configurations, and endpoints, whose containers really serve.

models.py     what a model is: its container, its artefact, its role
configs.py    which models, on how many instances of which types
endpoints.py  the operations of endpoints; records.py, store.py: their rows
decide.py     what an endpoint needs next, from its record and its containers: a pure function
worker.py     carries that out: prepares, submits, pings, switches, drains, stops; goes on after a restart
prepare.py    a container's folder and task; container.py: its command and variables
metrics.py    what the gateway counted, in CloudWatch
modelserver/  runs inside the containers of script mode
"""
