"""CloudFormation resource types of ours: those that the platform's templates use and the emulator does not have.

`registry.resource_types` is the list. A type turns properties into requests of the service that owns the resource; it
stores nothing itself. What a type does not implement is refused by name.
"""
