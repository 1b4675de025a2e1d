"""The sandbox: Linux namespaces entered before a task is started, and the view of the file system inside."""
