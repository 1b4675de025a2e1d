"""What stands for a fact that nobody has."""

from __future__ import annotations


class Unknown(str):
    """A value that is not known: one that only the deployment tells, say. The text says why, or what is known of it.

    Part of a longer text, it makes that Unknown too.
    """

    __slots__ = ()
