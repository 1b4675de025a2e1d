"""The model server of script mode. It runs inside containers, by the interpreter of their image: its modules are copied
there and import nothing of this project, and of others NumPy alone, where a default handler needs it.

main.py       listens, starts worker processes, ends with them
worker.py     one process: HTTP on the shared socket, one request after the other
handlers.py   the user's inference.py with SageMaker's default functions where it leaves one out
"""
