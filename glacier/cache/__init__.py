"""Results that are kept: what a task call depends on (`fingerprint`), and where results are (`store`)."""
