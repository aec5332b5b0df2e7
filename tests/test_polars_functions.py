"""Polars' own functions on the addresses of buckets in real stores."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import clouds
import obstore
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from servers.azurite import Azurite
from servers.seaweedfs import OTHER, OWNER

from glacier import Bucket, GlacierEnv, context
from glacier.config import AwsConfig, AzureConfig, GcpConfig, LocalConfig
from glacier.errors import AccessError, ConfigError, ObjectNotFoundError
from glacier.providers import AWSProvider, AzureProvider, GCPProvider, LocalProvider
from glacier.resources import polars_functions
from glacier.resources.polars_functions import BucketUri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = clouds.BUCKET
DF = pl.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None]})
OLD = pl.DataFrame({"id": [0], "name": ["old"]})
FORMATS = ("parquet", "csv", "json", "ndjson", "ipc")
SINKS = ("parquet", "csv", "ndjson", "ipc")


@pytest.fixture(scope="session")
def servers() -> dict[str, Any]:
    return clouds.running()


@pytest.fixture
def providers(servers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A provider of each cloud, with credentials that the process itself does not have."""
    users = {"owner": OWNER, "other": OTHER}
    lines = [
        f"[{name}]\naws_access_key_id={user.access_key}\naws_secret_access_key={user.secret_key}\n"
        for name, user in users.items()
    ]
    (tmp_path / "credentials").write_text("\n".join(lines))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    azure = AzureConfig(
        subscription_id="...",
        resource_group="data",
        location="eastus",
        storage_account=Azurite.account_name,
        account_key=Azurite.account_key,
        endpoint_url=servers["azure"].endpoint,
    )
    return {
        "aws": aws(servers, "owner"),
        "gcp": GCPProvider(config=GcpConfig(project_id="testing", endpoint_url=servers["gcp"].endpoint)),
        "azure": AzureProvider(config=azure),
    }


def aws(servers: dict[str, Any], profile: str) -> AWSProvider:
    endpoint = servers["aws"].endpoint
    return AWSProvider(config=AwsConfig(region="us-east-1", profile=profile, endpoint_url=endpoint))


@pytest.fixture(params=["aws", "gcp", "azure"])
def provider(request: pytest.FixtureRequest, providers: dict[str, Any]) -> Any:
    return providers[request.param]


@pytest.fixture(autouse=True)
def _unwrapped() -> Iterator[None]:
    polars_functions.unwrap()
    yield
    polars_functions.unwrap()


@pytest.fixture
def bucket(provider: Any, request: pytest.FixtureRequest) -> Any:
    """Make a bucket of the test's own path, with the old table in it."""

    def make(name: str) -> Bucket:
        made = provider.bucket(BUCKET, f"{request.node.originalname}/{name}")
        made.write(OLD)
        return made

    return make


# --- writing and reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_a_frame_is_written_and_read(bucket: Any, format: str) -> None:
    target = bucket(f"t.{format}")
    assert getattr(DF, f"write_{format}")(target.get_uri()) is None
    assert_frame_equal(target.read(), DF)
    assert_frame_equal(getattr(pl, f"read_{format}")(target.get_uri()), DF)


@pytest.mark.parametrize("format", SINKS)
def test_a_query_is_written_and_scanned(bucket: Any, format: str) -> None:
    target = bucket(f"t.{format}")
    assert getattr(DF.lazy(), f"sink_{format}")(target.get_uri()) is None
    assert_frame_equal(getattr(pl, f"scan_{format}")(target.get_uri()).collect(), DF)


def test_options_of_polars_are_kept(bucket: Any) -> None:
    target = bucket("t.csv")
    DF.write_csv(file=target.get_uri(), separator=";", null_value="-", storage_options=None)
    store = target.storage.store(BUCKET)
    assert bytes(obstore.get(store, target.path).bytes()) == b"id;name\n1;a\n2;b\n3;-\n"
    found = pl.scan_csv(source=target.get_uri(), separator=";", null_values="-").collect()
    assert_frame_equal(found, DF)
    assert pl.read_csv(target.get_uri(), separator=";", columns=["id"]).columns == ["id"]


def test_compression_is_kept(provider: Any) -> None:
    zeros = pl.DataFrame({"n": [0] * 100_000}, schema={"n": pl.Int64})
    sizes: dict[str, int] = {}
    for compression in ("zstd", "uncompressed"):
        target = provider.bucket(BUCKET, f"compression/{compression}.ipc")
        zeros.lazy().sink_ipc(target.get_uri(), compression=compression)
        sizes[compression] = target.stat().size
    assert sizes["zstd"] * 100 < sizes["uncompressed"]


def test_a_failing_query_leaves_the_old_object(bucket: Any) -> None:
    target = bucket("t.parquet")
    rows = pl.LazyFrame({"n": range(2_000_000)})
    late = rows.with_columns(pl.when(pl.col("n") < 1_999_999).then(pl.lit("1")).otherwise(pl.lit("x")).cast(pl.Int64))
    with pytest.raises(pl.exceptions.InvalidOperationError):
        late.sink_parquet(target.get_uri())
    assert_frame_equal(target.read(), OLD)
    assert [entry.path for entry in target.list()] == [target.path]


def test_a_folder_and_a_pattern_are_scanned(provider: Any) -> None:
    for name in ("a", "b"):
        provider.bucket(BUCKET, f"folder/{name}.parquet").write(DF)
    for path in ("folder", "folder/*.parquet"):
        assert pl.scan_parquet(provider.bucket(BUCKET, path).get_uri()).select(pl.len()).collect().item() == 6
    with pytest.raises(ConfigError, match="is a folder or pattern, not an object"):
        DF.write_parquet(provider.bucket(BUCKET, "folder").get_uri())
    with pytest.raises(ConfigError, match="is a folder or pattern, not an object"):
        pl.read_json(provider.bucket(BUCKET, "folder").get_uri())


def test_several_addresses_of_one_provider_are_scanned_together(providers: dict[str, Any], provider: Any) -> None:
    both = [provider.bucket(BUCKET, f"several/{name}.parquet") for name in "ab"]
    for each in both:
        each.write(DF)
    assert pl.scan_parquet([each.get_uri() for each in both]).select(pl.len()).collect().item() == 6
    with pytest.raises(ConfigError, match="do not share one provider"):
        pl.scan_parquet([both[0].get_uri(), "s3://tables/plain.parquet"])
    stranger = next(each for each in providers.values() if each is not provider)
    with pytest.raises(ConfigError, match="do not share one provider"):
        pl.scan_parquet([both[0].get_uri(), stranger.bucket(BUCKET, "a.parquet").get_uri()])


def test_a_list_where_one_address_belongs_is_refused(providers: dict[str, Any]) -> None:
    uri = providers["aws"].bucket(BUCKET, "list/t.json").get_uri()
    with pytest.raises(ConfigError, match=r"reads one object, not 2 addresses such as s3://tables/list/t\.json"):
        pl.read_json([uri, uri])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="to one address, not to a list"):
        DF.write_csv([uri])  # type: ignore[call-overload]


def test_what_is_not_there_is_said(provider: Any) -> None:
    missing = provider.bucket(BUCKET, "missing/t.json").get_uri()
    with pytest.raises(ObjectNotFoundError, match=r"missing/t\.json"):
        pl.read_json(missing)


# --- where Polars writes by itself -----------------------------------------------------------------------------------


def test_a_partitioned_write_and_a_lazy_sink_have_the_credentials(provider: Any) -> None:
    parts = provider.bucket(BUCKET, "parts")
    DF.write_parquet(parts.get_uri(), partition_by="id")
    assert [entry.path.split("/")[1] for entry in parts.list()] == ["id=1", "id=2", "id=3"]
    target = provider.bucket(BUCKET, "lazy/t.parquet")
    sink = DF.lazy().sink_parquet(target.get_uri(), lazy=True)
    assert isinstance(sink, pl.LazyFrame)
    sink.collect()
    assert_frame_equal(target.read(), DF)


def test_options_of_the_callers_own_are_not_touched(servers: dict[str, Any], providers: dict[str, Any]) -> None:
    stranger = aws(servers, "other").bucket(BUCKET, "own/t.parquet")
    options = servers["aws"].storage_options()
    with pytest.raises(AccessError):
        DF.write_parquet(stranger.get_uri())
    DF.write_parquet(stranger.get_uri(), storage_options=options)
    assert_frame_equal(pl.read_parquet(stranger.get_uri(), storage_options=options), DF)
    owner = providers["aws"].bucket(BUCKET, "own/t.parquet")
    _, how = owner.storage.scan_target(BUCKET, owner.path)
    assert_frame_equal(pl.read_parquet(stranger.get_uri(), **how), DF)


def test_the_buckets_own_options_may_be_passed(bucket: Any) -> None:
    target = bucket("t.parquet")
    DF.write_parquet(target.get_uri(), storage_options=target.storage_options())
    found = pl.scan_parquet(target.get_uri(), storage_options=target.storage_options()).collect()
    assert_frame_equal(found, DF)


# --- environments ----------------------------------------------------------------------------------------------------


def test_two_environments_never_mix(servers: dict[str, Any], providers: dict[str, Any]) -> None:
    """One user may write `tables` and reads it, the other may use `other-...` only."""
    mine, theirs = providers["aws"], aws(servers, "other")

    def one_round(number: int) -> None:
        frame = pl.DataFrame({"n": [number]})
        good = theirs.bucket("other-data", f"round/{number}.parquet")
        frame.write_parquet(good.get_uri())
        frame.lazy().sink_parquet(mine.bucket(BUCKET, f"round/{number}.parquet").get_uri())
        bad = theirs.bucket(BUCKET, f"round/{number}.parquet")
        with pytest.raises(AccessError):
            pl.DataFrame({"n": [-1]}).write_parquet(bad.get_uri())
        with pytest.raises(PermissionError):
            pl.scan_parquet(bad.get_uri()).collect()
        for place in (good, mine.bucket(BUCKET, bad.path)):
            assert pl.scan_parquet(place.get_uri()).collect().item() == number

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one_round, range(100)))
    for place in (mine.bucket(BUCKET, "round"), theirs.bucket("other-data", "round")):
        assert sorted(pl.scan_parquet(place.get_uri()).collect()["n"]) == list(range(100))


def test_in_a_pipeline_run(provider: Any) -> None:
    env = GlacierEnv(provider, "cloud")
    source = env.register("source", provider.bucket(BUCKET, "pipeline/in.parquet"))
    env.register("target", provider.bucket(BUCKET, "pipeline/out.parquet"))
    source.write(DF)

    @env.task()
    def load(source: Bucket) -> pl.LazyFrame:
        return pl.scan_parquet(source.get_uri())

    @env.task()
    def save(df: pl.LazyFrame, target: Bucket) -> None:
        df.filter(pl.col("id") > 1).collect().write_parquet(target.get_uri())

    @env.pipeline()
    def copying() -> None:
        save(load(env.get("source")), env.get("target"))

    copying.run()
    assert_frame_equal(env.get("target").read(), DF.filter(pl.col("id") > 1))
    assert copying.last_run.state == "done"


def test_the_running_task_is_told(bucket: Any) -> None:
    target, told = bucket("t.parquet"), []
    task: Any = SimpleNamespace(
        touched=lambda resource, access: told.append((resource, access)),
        compute=lambda plan, alone: alone(),
        check=lambda: None,
    )
    with context.using(context.usage, task):
        DF.write_parquet(target.get_uri())
        pl.scan_parquet(target.get_uri())
        pl.read_parquet([target.get_uri()])
    assert told == [(target, "write"), (target, "read"), (target, "read")]


# --- what it leaves alone --------------------------------------------------------------------------------------------


def test_an_address_is_text(provider: Any) -> None:
    made = provider.bucket(BUCKET, "t.parquet")
    uri = made.get_uri()
    assert isinstance(uri, BucketUri)
    assert uri.bucket is made
    assert (uri, hash(uri), f"{uri}", repr(uri)) == (made.uri, hash(made.uri), made.uri, repr(made.uri))
    assert [type(each) for each in (str(uri), f"{uri}", uri + "/a", pickle.loads(pickle.dumps(uri)))] == [str] * 4
    assert copy.deepcopy({"a": uri})["a"] is copy.copy(uri) is uri


def test_local_addresses_wrap_nothing(tmp_path: Path) -> None:
    original = pl.DataFrame.write_parquet
    local = LocalProvider(config=LocalConfig(base_path=tmp_path)).bucket("b", "t.parquet")
    assert type(local.get_uri()) is str
    assert pl.DataFrame.write_parquet is original


def test_wrapping_is_done_once_and_undone(providers: dict[str, Any]) -> None:
    polars_functions.unwrap()
    original = pl.scan_parquet
    with ThreadPoolExecutor(8) as pool:
        wrapped = set(
            pool.map(lambda _: (providers["aws"].bucket(BUCKET, "t").get_uri(), pl.scan_parquet)[1], range(64))
        )
    assert len(wrapped) == 1
    assert pl.scan_parquet is not original
    assert inspect.signature(pl.scan_parquet) == inspect.signature(original)
    polars_functions.unwrap()
    polars_functions.unwrap()
    assert pl.scan_parquet is original
    assert not hasattr(vars(pl.DataFrame)["write_json"], "__wrapped__")


def test_everything_else_works_as_before(tmp_path: Path) -> None:
    polars_functions.wrap()
    file = tmp_path / "t.csv"
    assert DF.write_csv() == "id,name\n1,a\n2,b\n3,\n"
    DF.write_csv(file)
    assert_frame_equal(pl.read_csv(str(file)), DF)
    assert_frame_equal(pl.scan_csv([file, file]).collect(), pl.concat([DF, DF]))
    assert_frame_equal(pl.read_csv(source=file.read_bytes()), DF)
    for each in (pl.scan_csv, pl.read_json, pl.DataFrame.write_json, pl.LazyFrame.sink_csv):
        assert pickle.loads(pickle.dumps(each)) is each
    with pytest.raises(TypeError, match="source"):
        pl.scan_csv()  # type: ignore[call-arg]


def test_warnings_of_polars_still_point_at_their_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARS_WARN_UNSTABLE", "1")
    polars_functions.wrap()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pl.scan_parquet(tmp_path / "t.parquet", hive_schema={"a": pl.Int8})
    assert [each.filename for each in caught] == [__file__]


def test_the_very_first_call_knows_the_address(servers: dict[str, Any]) -> None:
    """Python looks up `pl.read_parquet` before it evaluates `get_uri()`."""
    code = f"""if True:
        import sys
        from glacier.config import GcpConfig
        from glacier.providers import GCPProvider
        provider = GCPProvider(config=GcpConfig(project_id="testing", endpoint_url={servers["gcp"].endpoint!r}))
        target = provider.bucket({BUCKET!r}, "first/t.json")
        print("polars" in sys.modules)
        import polars as pl
        pl.DataFrame({{"n": [7]}}).write_json(target.get_uri())
        print(target.read().item())
    """
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n7\n"
