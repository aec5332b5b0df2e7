"""What every test needs: settings of the test tools, no trace of the developer's own environment, and the rigs."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest
from _pytest import runner
from hypothesis import settings
from rigs import Rig, having, start
from servers.azurite import Azurite
from servers.gcs import FakeGCS
from servers.process import Server
from servers.seaweedfs import SeaweedFS

from glacier import home, redaction
from glacier.cache import secret
from glacier.providers.azure.credentials import AzureCredentials

# A busy two-core machine exceeds hypothesis' 200 ms per example; the tests give the same examples on every machine.
settings.register_profile("glacier", deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "glacier"))

OURS = ("GLACIER_", "AWS_", "GOOGLE_", "AZURE_", "STORAGE_EMULATOR_")
KEPT = {"GLACIER_SEED"}

# No cloud's package may look for an account on this machine, nor for the address that tells a machine its role. What
# asks for another machine all the same is sent to a port on which nobody listens.
NOBODY = "http://127.0.0.1:1"
HERE = "127.0.0.1,localhost"
ALONE = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), NOBODY),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), HERE),
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_METADATA_ENDPOINT": NOBODY,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_GCE_CHECK": "true",
    "CLOUDSDK_CONFIG": os.devnull,
}

# A thread of Polars may call getenv(3) at any time, also after its query has returned, and glibc crashes when a
# variable is added beside it. So what holds for every test is set once, before Polars is loaded, and pytest's own
# variable, which it adds and removes for each test, is left out.
for name in [name for name in os.environ if name.startswith(OURS) and name not in KEPT]:
    del os.environ[name]
os.environ.update(ALONE)
runner._update_current_test_var = lambda item, when: None

SERVERS: dict[str, type[Server]] = {"aws": SeaweedFS, "gcp": FakeGCS, "azure": Azurite}
TESTS = count(1)


def pytest_collection_finish() -> None:
    """Leave the thousands of collected tests out of every later look for garbage, which takes 0.4 s with them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A memory of its own for every test, with nothing of another one's; nothing is written to the project's folder."""
    place = tmp_path_factory.getbasetemp() / f"memory-{next(TESTS)}"
    with home.using(place), secret.using(place / "user"), redaction.unknowing():
        yield


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[dict[str, Server]]:
    """The servers of the clouds that the collected tests are marked with, started side by side."""
    needed = [name for name in SERVERS if any(item.get_closest_marker(name) for item in request.session.items)]
    with ExitStack() as stack:
        started = {name: SERVERS[name]() for name in needed}
        for server in started.values():
            server.start()
            stack.callback(server.stop)
        for server in started.values():
            server.wait()
        yield started


@pytest.fixture(scope="session")
def rigs() -> dict[str, Rig]:
    """The rigs that were made so far: each is made once."""
    return {}


@pytest.fixture(params=having())
def rig(
    request: pytest.FixtureRequest,
    rigs: dict[str, Rig],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Rig:
    """Every rig in turn, with a prefix of the test's own; a test may ask for `having(...)` some capability."""
    name = request.param
    if name not in rigs:
        server = request.getfixturevalue("servers")[name] if name in SERVERS else None
        rigs[name] = start(name, tmp_path_factory.mktemp(name), server)
    rig = rigs[name]
    rig.prefix = f"test{next(TESTS)}"
    for variable, value in rig.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(AzureCredentials, "identity", property(_nobody))
    return rig


def _nobody(credentials: object) -> None:
    raise AssertionError("the tests have no Azure identity to ask for")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Calls the command as a shell would, and returns its exit code and what it said on both streams."""
    from glacier.cli import main

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["glacier", *arguments])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return call
