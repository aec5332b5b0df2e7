"""Mirrors of stand-in providers, and the skip that says that Terraform is missing."""

from pathlib import Path

import pytest

from terraform.provider_schemas import ENDS, ends
from terraform.terraform_cli import lay_out


@pytest.fixture(scope="session")
def mirrors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A mirror for each end of the supported provider versions."""
    return {end: lay_out(tmp_path_factory.mktemp(f"mirror-{end}"), ends(end)) for end in ENDS}


@pytest.fixture(params=ENDS)
def end(request: pytest.FixtureRequest) -> str:
    """The oldest and the newest supported versions of the providers."""
    return request.param


@pytest.fixture
def mirror(mirrors: dict[str, Path], end: str) -> Path:
    return mirrors[end]
