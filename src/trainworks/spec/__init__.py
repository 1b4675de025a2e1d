"""Frozen records and legal state transitions that every layer shares; imports nothing but `errors`."""
