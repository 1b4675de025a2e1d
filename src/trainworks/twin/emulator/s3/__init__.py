"""Buckets: their configuration is checked and stored here; the data of objects is in `twin.objects`."""
