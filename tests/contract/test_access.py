"""Addresses, credentials and errors, on every provider: who may, and what is said when one may not."""

import os
import pickle
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rigs import CAPABILITIES, RIGS, Rig, having, rig_class
from rigs.tables import OLD, SMALL, raw, tells

import glacier
from glacier.config import AzureConfig
from glacier.errors import AccessError, ConfigError, FormatError, GlacierError, ObjectNotFoundError
from glacier.providers import AzureProvider
from glacier.providers.azure.credentials import AzureCredentials
from glacier.resources import Bucket

LARGE = pl.DataFrame({"noise": pl.int_range(2_500_000, eager=True).hash(seed=7)})
READS = {
    "scan": lambda bucket: bucket.scan().collect(),
    "read": lambda bucket: bucket.read(),
    "schema": lambda bucket: bucket.schema(),
    "preview": lambda bucket: bucket.preview(),
    "stat": lambda bucket: bucket.stat(),
}
LOOKS = {"list": lambda bucket: bucket.list(), "exists": lambda bucket: bucket.exists()}
WRITES = {
    "write": lambda bucket: bucket.write(SMALL),
    "write a query": lambda bucket: bucket.write(SMALL.lazy()),
    "write in parts": lambda bucket: bucket.write(LARGE),
    "write if absent": lambda bucket: bucket.write(SMALL, if_absent=True),
    "sink": lambda bucket: bucket.sink(SMALL.lazy()),
    "delete": lambda bucket: bucket.delete(),
}


def test_a_rig_says_of_every_capability_whether_it_has_it() -> None:
    for name in RIGS:
        rig = rig_class(name)
        assert rig.supports.isdisjoint(rig.never)
        assert rig.supports | set(rig.never) == set(CAPABILITIES)
        assert all(rig.never.values())


# --- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["a.parquet", "raw/ü [1] 50%/a+b.csv", "raw/2024", "raw/**/*.parquet"])
def test_an_address_is_the_bucket_and_the_path(rig: Rig, path: str) -> None:
    bucket = rig.bucket(path)
    assert bucket.uri == bucket.get_uri() == rig.address + rig.path(path)
    assert rig.address + rig.path(path) in repr(bucket)
    assert rig.names() == []


def test_buckets_are_equal_when_they_are_the_same_place(rig: Rig) -> None:
    one = rig.bucket("a.csv")
    assert one == rig.bucket("a.csv")
    assert len({one, rig.bucket("a.csv"), rig.bucket("b.csv"), rig.bucket("a.csv", "ndjson")}) == 3
    assert one != rig.bucket("a.csv", provider=rig.another())


def test_what_is_shown_or_kept_holds_no_secret(rig: Rig) -> None:
    target = rig.bucket("t.parquet")
    target.write(SMALL)
    options = target.storage_options()
    assert all(isinstance(value, str | int) for value in options.values())
    scan = target.scan()
    shown = [repr(options), repr(target), repr(rig.provider), repr(rig.provider.config), scan.explain()]
    kept = [pickle.dumps(scan), rig.provider.config.model_dump_json().encode(), *(text.encode() for text in shown)]
    leaks = [(secret, text) for secret in rig.secrets for text in kept if secret.encode() in text]
    assert leaks == []


def test_polars_reads_with_the_options_and_the_credentials(rig: Rig) -> None:
    target = rig.bucket("ü 1.parquet")
    target.write(SMALL)
    _, how = target.storage.scan_target(target.bucket_name, target.path)
    assert how.get("storage_options", {}) == target.storage_options()
    assert_frame_equal(pl.read_parquet(target.get_uri(), **how), SMALL)


# --- pickles -----------------------------------------------------------------------------------------------------


def test_a_pickled_scan_is_collected_in_the_same_process(rig: Rig) -> None:
    rig.bucket("t.parquet").write(SMALL)
    plan = rig.bucket("t.parquet").scan().filter(pl.col("id") > 1)
    assert_frame_equal(pickle.loads(pickle.dumps(plan)).collect(), SMALL[1:])


@pytest.mark.parametrize("rig", having("credentials"), indirect=True)
def test_a_pickled_scan_is_refused_in_another_process(rig: Rig, tmp_path: Path) -> None:
    rig.bucket("t.parquet").write(SMALL)
    (tmp_path / "plan").write_bytes(pickle.dumps(rig.bucket("t.parquet").scan()))
    code = "import pathlib, pickle, sys; pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()).collect()"
    environment = {**os.environ, "PYTHONPATH": str(Path(glacier.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "plan"], env=environment, capture_output=True, text=True, timeout=60
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "AccessError" in last
    assert f"reads from {rig.bucket('t.parquet').on}" in last
    assert "scan the bucket again in this process" in last


# --- signed URLs -------------------------------------------------------------------------------------------------


def test_a_url_is_read_by_anyone(rig: Rig) -> None:
    for name in ("t.parquet", "ü 50% [1] a+b/c#d&e='f' 🧊.parquet"):
        rig.put(name, raw(SMALL, "parquet"))
        url = rig.bucket(name).url(expires=timedelta(minutes=5))
        assert url.isascii()
        assert_frame_equal(pl.read_parquet(urlopen(url).read()), SMALL)


@pytest.mark.parametrize("expires", [0, -5, 7 * 86400 + 1, 1e12, float("nan"), timedelta(days=8), "1h", None])
def test_a_url_lives_a_second_to_seven_days(rig: Rig, expires: object) -> None:
    with pytest.raises(ConfigError, match="1 second to 7 days") as caught:
        rig.bucket("t.parquet").url(expires)
    assert tells(caught.value, rig.bucket("t.parquet"))


@pytest.mark.parametrize("rig", having("web"), indirect=True)
def test_a_signed_url_names_its_end(rig: Rig) -> None:
    url = rig.bucket("t.parquet").url(timedelta(days=7))
    assert urlsplit(url).scheme == "http"
    end = (datetime.now(UTC) + timedelta(days=7)).strftime("%Y-%m-%d")
    assert "Expires=604800" in url or f"se={end}" in url
    assert not any(secret in unquote(url) for secret in rig.secrets)


def _status(url: str) -> int:
    try:
        return urlopen(url).status
    except HTTPError as error:
        return error.code


@pytest.mark.parametrize("rig", having("web", "signatures"), indirect=True)
def test_a_changed_url_is_refused(rig: Rig) -> None:
    for name in ("a.csv", "b.csv"):
        rig.put(name, b"n\n1\n")
    url = rig.bucket("a.csv").url()
    assert _status(url) == 200
    assert _status(url.replace("a.csv", "b.csv")) == 403
    assert _status(url[:-4] + ("AA%3D" if url.endswith("%3D") else "0000")) == 403
    assert _status(url.partition("?")[0]) in {401, 403, 404}


@pytest.mark.parametrize("rig", having("web", "signatures"), indirect=True)
def test_an_expired_url_is_refused(rig: Rig) -> None:
    rig.put("t.csv", b"n\n1\n")
    url = rig.bucket("t.csv").url(expires=1)
    time.sleep(2.1)
    assert _status(url) == 403


def test_without_a_key_azure_is_asked_for_one_to_sign_with(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.credentials import AccessToken
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobServiceClient, UserDelegationKey

    class Identity:
        def get_token(self, *_: str, **__: object) -> AccessToken:
            return AccessToken("token", 4_000_000_000)

    key = UserDelegationKey()
    for name in ("oid", "tid", "start", "expiry", "service", "version"):
        setattr(key, f"signed_{name}", f"the-{name}")
    key.value = "a2V5"
    monkeypatch.setattr(AzureCredentials, "identity", Identity())
    monkeypatch.setattr(BlobServiceClient, "get_user_delegation_key", lambda *_: key)
    where = {"subscription_id": "...", "resource_group": "contract", "location": "eastus"}
    provider = AzureProvider(config=AzureConfig(**where, endpoint_url="https://127.0.0.1:1/account"))
    assert "skoid=the-oid" in provider.bucket("contract", "ü.csv").storage.url("contract", "ü.csv", timedelta(hours=1))

    def refuse(*_: object) -> None:
        raise HttpResponseError("AuthorizationPermissionMismatch")

    monkeypatch.setattr(BlobServiceClient, "get_user_delegation_key", refuse)
    with pytest.raises(AccessError, match="no key to sign a URL with") as caught:
        provider.storage.url("contract", "a.csv", timedelta(hours=1))
    assert "Storage Blob Delegator" in str(caught.value.hint)


# --- what is not there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [verb for verb in READS if verb != "scan"])
@pytest.mark.parametrize("path", ["gone.parquet", "gone/*.csv", "ü [1]/50%.json"])
def test_a_missing_object_is_named(rig: Rig, verb: str, path: str) -> None:
    rig.put("here.parquet", raw(SMALL, "parquet"))
    with pytest.raises(ObjectNotFoundError) as caught:
        READS[verb](rig.bucket(path))
    assert tells(caught.value, rig.bucket(path))


@pytest.mark.parametrize("verb", [verb for verb in READS if verb != "scan"])
def test_a_missing_bucket_is_named(rig: Rig, verb: str) -> None:
    bucket = rig.provider.bucket("nobody-made-this", "raw/t.parquet")
    with pytest.raises(ObjectNotFoundError) as caught:
        READS[verb](bucket)
    assert tells(caught.value, bucket)


@pytest.mark.parametrize("rig", having("buckets"), indirect=True)
@pytest.mark.parametrize("verb", [*READS, *LOOKS, *WRITES])
def test_a_bucket_that_nobody_made_is_called_so(rig: Rig, verb: str) -> None:
    bucket = rig.provider.bucket("nobody-made-this", "raw/t.parquet")
    with pytest.raises(ObjectNotFoundError, match="there is no such bucket") as caught:
        {**READS, **LOOKS, **WRITES}[verb](bucket)
    assert tells(caught.value, bucket)
    assert "make it, or check its name" in str(caught.value.hint)


@pytest.mark.parametrize("rig", having("buckets"), indirect=True)
def test_a_pattern_in_a_missing_bucket_is_no_empty_list(rig: Rig) -> None:
    bucket = rig.provider.bucket("nobody-made-this", "raw/*.parquet")
    for verb in (*LOOKS.values(), READS["read"]):
        with pytest.raises(ObjectNotFoundError, match="there is no such bucket") as caught:
            verb(bucket)
        assert tells(caught.value, bucket)


def test_a_folder_below_an_object_holds_nothing(rig: Rig) -> None:
    rig.put("a.csv", b"n\n1\n")
    below = rig.bucket("a.csv/b.csv")
    assert not below.exists()
    assert below.list() == []
    with pytest.raises(ObjectNotFoundError) as caught:
        below.read()
    assert tells(caught.value, below)


@pytest.mark.parametrize("format", ["parquet", "ipc", "json", "ndjson"])
def test_a_wrong_format_names_the_right_one(rig: Rig, format: str) -> None:
    rig.put("t.data", raw(SMALL, "csv"))
    bucket = rig.bucket("t.data", format)
    for verb in (READS["read"], READS["schema"], READS["preview"]):
        with pytest.raises(FormatError, match=f"does not read as {format}") as caught:
            verb(bucket)
        assert tells(caught.value, bucket)
        assert caught.value.hint == "it looks like csv: pass format='csv'"


def test_an_unknown_column_is_named(rig: Rig) -> None:
    bucket = rig.bucket("t.parquet")
    bucket.write(SMALL)
    with pytest.raises(ConfigError, match="has no column 'citi'") as caught:
        bucket.preview(columns=["citi"])
    assert "city" in str(caught.value.hint)
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        bucket.scan().select("citi").collect()


# --- who may not -------------------------------------------------------------------------------------------------


def refused(bucket: Bucket, verb: str) -> GlacierError:
    with pytest.raises(AccessError) as caught:
        {**READS, **LOOKS, **WRITES}[verb](bucket)
    assert tells(caught.value, bucket)
    assert "check the credentials" in str(caught.value.hint)
    return caught.value


@pytest.mark.parametrize("rig", having("keys"), indirect=True)
@pytest.mark.parametrize("verb", [*READS, *LOOKS, *WRITES])
def test_wrong_credentials_are_refused(rig, verb: str) -> None:
    rig.put("t.parquet", raw(OLD, "parquet"))
    error = refused(rig.bucket("t.parquet", provider=rig.stranger()), verb)
    assert not any(secret in f"{error} {error.__cause__}" for secret in rig.secrets)
    assert rig.get("t.parquet") == raw(OLD, "parquet")


@pytest.mark.parametrize("rig", having("users"), indirect=True)
@pytest.mark.parametrize("verb", WRITES)
def test_a_reader_reads_and_does_not_write(rig, verb: str) -> None:
    rig.put("t.parquet", raw(SMALL, "parquet"))
    bucket = rig.bucket("t.parquet" if verb != "write if absent" else "new.parquet", provider=rig.reader())
    refused(bucket, verb)
    assert rig.names() == ["t.parquet"]
    mine = rig.bucket("t.parquet", provider=rig.reader())
    assert_frame_equal(mine.scan().collect(), SMALL)
    assert mine.exists()
    assert mine.preview().total == 3


@pytest.mark.parametrize("rig", having("users"), indirect=True)
def test_a_profile_that_is_not_there_is_named(rig) -> None:
    bucket = rig.bucket("t.parquet", provider=rig.another(profile="nobody"))
    with pytest.raises(AccessError, match=r"no credentials for aws.*nobody") as caught:
        bucket.read()
    assert "aws configure list-profiles" in str(caught.value.hint)
