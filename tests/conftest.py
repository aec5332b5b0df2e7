"""What every test needs: settings of the test tools, and no trace of the developer's own environment."""

import os

import pytest
from hypothesis import settings

# A busy two-core machine exceeds hypothesis' 200 ms per example; the tests give the same examples on every machine.
settings.register_profile("glacier", deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "glacier"))

OURS = ("GLACIER_", "AWS_", "GOOGLE_", "AZURE_")
KEPT = {"GLACIER_SEED"}


@pytest.fixture(autouse=True)
def _no_developer_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the variables that `GlacierEnv.from_env` and the clouds' packages would read."""
    for name in [name for name in os.environ if name.startswith(OURS) and name not in KEPT]:
        monkeypatch.delenv(name)
