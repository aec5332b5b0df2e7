"""An environment in a folder of the test's own."""

from pathlib import Path

import pytest

from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    """A local environment."""
    return GlacierEnv(provider=LocalProvider(config=LocalConfig(base_path=str(tmp_path))), name="dev")
