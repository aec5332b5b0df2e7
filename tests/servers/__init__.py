"""Real object stores for the tests: S3 (SeaweedFS), Google Cloud Storage (fake-gcs-server), Azure Blob (Azurite).

Each is a context manager with `endpoint`, its credentials as attributes, `make_bucket(name)`, `store(bucket)` for
obstore, `storage_options()` and `uri(bucket, key)` for Polars. `Proxy(server)` stands in front of any of them, counts
bytes and injects faults. Everything listens on the loopback interface only and dies with the test process.
"""
