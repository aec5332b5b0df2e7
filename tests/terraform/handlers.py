"""The handler of the example pipelines' functions."""


def clean(payload, context):
    """Drop the fields that are empty."""
    return {name: value for name, value in (payload or {}).items() if value not in (None, "")}
