"""Corrects CloudFormation: refusals, permissions of stacks, operations that a crash interrupted, types of our own."""
