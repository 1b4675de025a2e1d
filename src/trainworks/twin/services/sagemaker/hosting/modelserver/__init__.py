"""The model server of script mode. It runs inside containers, in the interpreter of their image: its modules are copied
there and import nothing of this project. They import NumPy, and only if a default handler needs it.

main.py       listens, starts worker processes, ends with them
worker.py     one process: HTTP on the shared socket, one request after the other
handlers.py   the user's inference.py with SageMaker's default functions where it defines none
"""
