"""The store of recorded resources."""
