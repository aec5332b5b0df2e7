"""No secret leaves a provider: not by what it shows, pickles, exports, logs, or says when something fails."""

import base64
import hashlib
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError
from servers.process import free_ports
from stores import BUCKET, CLOUDS, provider, stores

from glacier.config import AwsConfig, AzureConfig, GcpConfig
from glacier.environment import GlacierEnv
from glacier.errors import AccessError, GlacierError
from glacier.providers import AzureProvider
from glacier.redaction import redacted
from glacier.resources import Bucket

TABLE = pl.DataFrame({"id": [1, 2, 3]})


def canary(name: str) -> str:
    """Return a word that occurs nowhere else."""
    return hashlib.sha256(name.encode()).hexdigest()[:24]


SECRET_KEY, SESSION, SIGNATURE = canary("secret key"), canary("session"), canary("signature")
ACCESS_KEY = f"AKIA{canary('access key')[:16].upper()}"
ACCOUNT_KEY = base64.b64encode(canary("account key").encode() * 2).decode()


@cache
def private_key() -> str:
    """Return a new private key as PEM text."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


def key_file(folder: Path, key: str) -> str:
    """Write the key file of a service account whose tokens nobody gives out; return its path."""
    file = folder / "account.json"
    account = {"type": "service_account", "project_id": "testing", "private_key_id": "1", "private_key": key}
    account |= {"client_email": "tests@testing.iam.gserviceaccount.com", "token_uri": "http://127.0.0.1:1/token"}
    file.write_text(json.dumps(account))
    return str(file)


def leaked(text: str | bytes, *words: str) -> list[str]:
    """Return the secrets that a text holds, as they are or as a line of PEM or JSON would have them."""
    data = text.encode() if isinstance(text, str) else text
    known = (SECRET_KEY, SESSION, SIGNATURE, ACCESS_KEY, ACCOUNT_KEY, *words)
    return [word for word in known if word.encode() in data or word[:40].encode() in data]


def lines(pem: str) -> list[str]:
    """Return the lines of a key that are the key."""
    return [line for line in pem.splitlines() if line and not line.startswith("---")]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture(params=CLOUDS)
def working(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Any, list[str]]:
    """A provider that may do everything, and its secrets."""
    server = stores()[request.param]
    if request.param == "aws":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        return provider("aws"), [server.secret_key]
    if request.param == "gcp":
        return provider("gcp", credentials_path=key_file(tmp_path, private_key())), lines(private_key())
    return provider("azure"), [server.account_key]


def test_a_key_that_was_read_from_a_file_is_told_by_nothing(tmp_path: Path) -> None:
    path = key_file(tmp_path, private_key())
    made = provider("gcp", credentials_path=path)
    made.bucket(BUCKET, "t.parquet").url(expires=60)
    assert leaked(redacted(Path(path).read_text("utf-8")), *lines(private_key())) == []
    assert leaked(redacted(private_key()), *lines(private_key())) == []
    env = GlacierEnv(made, "here")

    @env.task()
    def reveal() -> None:
        print(Path(path).read_text("utf-8"))
        raise ValueError(private_key())

    with pytest.raises(ValueError, match="PRIVATE KEY"):
        reveal.run()
    told_of = "".join(str(line) for line in env.runs[0].story())
    assert "service_account" in told_of
    assert leaked(told_of, *lines(private_key())) == []


@pytest.mark.parametrize("text", ["[1]", '"text"', "{}", "no JSON", ""])
def test_a_file_that_is_no_key_is_an_error_of_ours(text: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(text)
    bucket = provider("gcp", credentials_path=str(tmp_path / "key.json")).bucket(BUCKET, "t.parquet")
    with pytest.raises(AccessError, match="no credentials for gcp: "):
        bucket.url(60)


# --- what is shown, pickled and exported -------------------------------------------------------------------------


def shown(made: Any) -> Iterator[str]:
    """Yield every form in which an object shows itself."""
    yield repr(made)
    yield str(made)
    yield f"{made}"
    html = getattr(made, "_repr_html_", None)
    if html is not None:
        yield html()


def test_nothing_that_shows_itself_shows_a_secret(working: tuple[Any, list[str]], tmp_path: Path) -> None:
    cloud, words = working
    env = GlacierEnv(cloud, "prod")
    bucket = cloud.bucket(BUCKET, "shown/t.csv")
    env.register("sales", bucket)
    bucket.write(TABLE)
    scan = bucket.scan()
    things = [cloud, cloud.config, cloud.storage, cloud.storage.credentials, bucket, env, env.explain("sales")]
    things += [bucket.preview(), bucket.stat(), bucket.storage_options(), env.describe(), env.get_state()]
    texts = [text for thing in things for text in shown(thing)]
    texts += [repr(scan), scan.explain(), cloud.config.model_dump_json(), repr(dict(cloud.config))]
    texts += [repr(cloud.storage.store(BUCKET))]
    texts.append(env.export_state(tmp_path / "state.json").read_text())
    assert [leaked(text, *words) for text in texts if leaked(text, *words)] == []
    assert any(BUCKET in text for text in texts)


def test_a_plan_is_pickled_without_secrets_and_works_here(working: tuple[Any, list[str]]) -> None:
    cloud, words = working
    bucket = cloud.bucket(BUCKET, "pickled/t.parquet")
    bucket.write(TABLE)
    plan = bucket.scan()
    plan.collect()
    for data in (plan.serialize(), pickle.dumps(plan), pickle.dumps(cloud.storage.credentials)):
        assert leaked(data, *words) == []
    assert pickle.loads(pickle.dumps(plan)).collect().equals(TABLE)


ELSEWHERE = """
import pickle, sys
import polars as pl
from glacier.errors import AccessError
load = pickle.load if sys.argv[1] == "pickle" else pl.LazyFrame.deserialize
plan = load(sys.stdin.buffer)
try:
    print("served", plan.collect())
except AccessError as error:
    print("refused", error)
"""


@pytest.mark.parametrize("how", ["pickle", "serialize"])
def test_a_pickled_plan_is_refused_in_another_process(working: tuple[Any, list[str]], how: str) -> None:
    bucket = working[0].bucket(BUCKET, "elsewhere/t.parquet")
    bucket.write(TABLE)
    plan = bucket.scan()
    data = pickle.dumps(plan) if how == "pickle" else plan.serialize()
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, how], input=data, stdout=subprocess.PIPE, env=here, check=True
    )
    assert done.stdout.startswith(b"refused a pickled plan reads from ")
    assert b"scan the bucket again" in done.stdout


# --- what is said when something fails ---------------------------------------------------------------------------


def failing(kind: str, folder: Path, endpoint: str | None = None) -> Any:
    """Return a provider with credentials that no store knows."""
    if kind == "azure":
        return provider("azure", endpoint, account_key=ACCOUNT_KEY)
    if kind == "gcp":
        (port,) = free_ports(1)
        return provider("gcp", f"https://127.0.0.1:{port}", credentials_path=key_file(folder, private_key()))
    return provider("aws", endpoint)


def verbs(bucket: Bucket) -> list[Callable[[], Any]]:
    return [
        bucket.read,
        bucket.scan,
        bucket.schema,
        bucket.preview,
        bucket.list,
        bucket.stat,
        bucket.exists,
        bucket.delete,
        lambda: bucket.write(TABLE),
        lambda: bucket.write(TABLE, if_absent=True),
    ]


def told(error: BaseException) -> str:
    """Return everything that a traceback of an error, with its causes and all local variables, would show."""
    rendered = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join([str(error), repr(error), *rendered.format(), *traceback.format_exception(error)])


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("where", ["wrong signature", "wrong bucket", "refused port"])
@pytest.mark.parametrize("kind", CLOUDS)
def test_no_error_tells_a_secret(kind: str, where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    account = f"/{stores()['azure'].account_name}" if kind == "azure" else ""
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}{account}" if where == "refused port" else None
    bucket = failing(kind, tmp_path, endpoint).bucket("nobodys" if where == "wrong bucket" else BUCKET, "t.parquet")
    for verb in verbs(bucket) if where == "wrong signature" else verbs(bucket)[:1]:
        with pytest.raises(GlacierError) as caught:
            verb()
        text = told(caught.value) + "".join(caught.value._render_traceback_())
        assert leaked(text, *lines(private_key())) == []
        assert caught.value.message in text
    assert leaked(caplog.text, *lines(private_key())) == []


def connected() -> AzureConfig:
    azure = stores()["azure"]
    text = f"AccountName={azure.account_name};AccountKey={ACCOUNT_KEY};BlobEndpoint={azure.endpoint}"
    return AzureConfig(subscription_id="...", resource_group="data", location="eastus", connection_string=text)


def test_a_connection_string_stays_secret(tmp_path: Path) -> None:
    config = connected()
    cloud = AzureProvider(config=config)
    assert cloud.storage.endpoint == stores()["azure"].endpoint
    with pytest.raises(AccessError) as caught:
        cloud.bucket(BUCKET, "t.parquet").read()
    env = GlacierEnv(cloud, "prod")
    exported = env.export_state(tmp_path / "state.json").read_text()
    things = [cloud, config, cloud.storage, cloud.storage.credentials, env, env.describe()]
    texts = [told(caught.value), exported, *(text for thing in things for text in shown(thing))]
    assert [leaked(text) for text in texts if leaked(text)] == []


@pytest.mark.parametrize("key", ["-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", "{}"])
def test_a_broken_key_file_stays_secret(key: str, tmp_path: Path) -> None:
    cloud = provider("gcp", "https://127.0.0.1:1", credentials_path=key_file(tmp_path, key.format(SECRET_KEY)))
    with pytest.raises(AccessError, match="no credentials for gcp") as caught:
        cloud.bucket(BUCKET, "t.parquet").read()
    assert leaked(str(caught.value) + "".join(traceback.format_exception(caught.value))) == []


@pytest.mark.parametrize(
    "endpoint", [f"https://store.example/?sv=2024&sig={SIGNATURE}", f"https://user:{SIGNATURE}@store.example"]
)
@pytest.mark.parametrize(
    "make",
    [
        lambda url: AwsConfig(region="us-east-1", endpoint_url=url),
        lambda url: GcpConfig(project_id="my-project", endpoint_url=url),
        lambda url: AzureConfig(subscription_id="...", resource_group="data", location="eastus", endpoint_url=url),
    ],
)
def test_an_endpoint_with_a_signature_is_refused_without_repeating_it(make: Any, endpoint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make(endpoint)
    assert leaked(str(caught.value) + repr(caught.value) + "".join(traceback.format_exception(caught.value))) == []
    assert "endpoint_url" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"GET https://h/b/k?sv=1&sig={SIGNATURE}&se=2 failed",
        f"GET https://h/b/k?X-Amz-Security-Token={SIGNATURE}&X-Amz-Signature={SIGNATURE}",
        f"AccountName=a;AccountKey={SIGNATURE};BlobEndpoint=https://h",
        f"cannot reach https://user:{SIGNATURE}@h/b",
        f"the key {ACCESS_KEY} is unknown",
    ],
)
def test_foreign_messages_are_cleaned(text: str) -> None:
    cleaned = redacted(text)
    assert leaked(cleaned) == []
    assert "***" in cleaned
    assert cleaned.split()[0][:3] == text[:3]
