"""Lambda functions as processes in the sandbox: `ports.Functions`.

runner.py       an invocation from its event to its result: log, limits, errors in AWS's words
pool.py         warm environments, used again for the same version of the same function
environment.py  one execution environment as the server sees it: a process, a socket, the output
sandboxed.py    the same from inside: enters the namespaces, starts the runtime, watches it
runtime/        what runs the handler; standard library alone
code.py         archives, unpacked once; packages.py what a runtime brings; variables.py the environment
"""
