"""`glacier ls` and `glacier preview`, as they are typed, on this machine and on real stores."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import clouds
import obstore
import polars as pl
import pytest
from rich.console import Console
from servers.azurite import Azurite
from servers.seaweedfs import OWNER

from glacier.addresses import bucket_of, fields_of, first_entries, provider_of
from glacier.console import print_objects, print_preview
from glacier.errors import ConfigError
from glacier.resources import ObjectInfo, Preview

DF = pl.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None], "x": [0.5, float("nan"), 2.0]})
SCHEMES = {"aws": "s3", "gcp": "gs", "azure": "az"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[int, str, str]]) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)

    return command


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "sales"
    (folder / "raw").mkdir(parents=True)
    DF.write_parquet(folder / "t.parquet")
    for name in ("a", "b"):
        DF.write_csv(folder / "raw" / f"{name}.csv")
    return folder


@pytest.fixture(params=["aws", "gcp", "azure"])
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Describe a cloud in the environment variables, and return the beginning of its addresses."""
    server = clouds.running()[request.param]
    variables = {
        "aws": {
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ACCESS_KEY_ID": OWNER.access_key,
            "AWS_SECRET_ACCESS_KEY": OWNER.secret_key,
        },
        "gcp": {"GOOGLE_CLOUD_PROJECT": "testing", "STORAGE_EMULATOR_HOST": server.endpoint},
        "azure": {
            "AZURE_SUBSCRIPTION_ID": "...",
            "AZURE_RESOURCE_GROUP": "data",
            "AZURE_LOCATION": "eastus",
            "AZURE_STORAGE_ACCOUNT": Azurite.account_name,
            "AZURE_STORAGE_KEY": Azurite.account_key,
        },
    }
    for name, value in variables[request.param].items():
        monkeypatch.setenv(name, value)
    return f"{SCHEMES[request.param]}://{clouds.BUCKET}"


def options(cloud: str) -> list[str]:
    return ["-o", f"endpoint_url={clouds.running()['azure'].endpoint}"] if cloud.startswith("az:") else []


# --- ls --------------------------------------------------------------------------------------------------------------


def test_ls_on_this_machine(run: Any, files: Path) -> None:
    code, out, err = run("ls", "sales")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        "path",
        "sales/raw/a.csv",
        "sales/raw/b.csv",
        "sales/t.parquet",
    ]
    found = json.loads(run("ls", str(files / "raw" / "*.csv"), "--json")[1])
    assert found["more"] is False
    assert [each["path"] for each in found["objects"]] == ["a.csv", "b.csv"]
    assert found["objects"][0]["size"] == (files / "raw" / "a.csv").stat().st_size
    assert datetime.fromisoformat(found["objects"][0]["modified"]).tzinfo is not None
    assert run("ls", "sales/nothing-*")[1] == "no objects\n"


def test_ls_of_a_bucket_of_the_local_provider_makes_no_folder(run: Any, files: Path, tmp_path: Path) -> None:
    out = run("ls", "sales", "--provider", "local", "-o", f"base_path={tmp_path}", "-o", "layout=bucket")[1]
    assert "raw/a.csv" in out
    assert run("ls", "sales/raw", "--provider", "local")[0] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["sales"]


def test_ls_on_a_cloud(run: Any, cloud: str) -> None:
    for name in ("a", "b", "c"):
        bucket_of(f"{cloud}/ls/{name}.parquet", **fields_of(cloud, None, options(cloud)[1:])).write(DF)
    code, out, err = run("ls", f"{cloud}/ls/", *options(cloud))
    assert (code, err) == (0, "")
    sized = r"^(ls/\w\.parquet) +[\d.]+ (?:bytes|kB) +20\d\d-\d\d-\d\d "
    assert re.findall(sized, out, re.MULTILINE) == ["ls/a.parquet", "ls/b.parquet", "ls/c.parquet"]
    found = json.loads(run("ls", f"{cloud}/ls/?.parquet", "--json", "--limit", "2", *options(cloud))[1])
    assert [each["path"] for each in found["objects"]] == ["ls/a.parquet", "ls/b.parquet"]
    assert found["more"] is True
    assert "there may be more" in run("ls", cloud, "--limit", "1", *options(cloud))[1]
    code, out, err = run("ls", f"{cloud}/ls/missing", *options(cloud))
    assert (code, out) == (1, "")
    assert err.startswith(f"error: cannot list {cloud}/ls/missing on ")


def test_ls_fetches_no_more_than_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = count()

    def endless(*_: Any, **__: Any) -> Any:
        for page in pages:
            for_all = {"size": 1, "last_modified": datetime.now(UTC), "e_tag": None, "version": None}
            yield [{"path": f"{page}/{number}", **for_all} for number in range(50)]

    monkeypatch.setattr(obstore, "list", endless)
    objects, more = first_entries(bucket_of(f"{tmp_path}/**"), 120)
    assert (len(objects), more, next(pages)) == (120, True, 3)


def test_a_listing_fits_eighty_columns() -> None:
    when = datetime(2024, 5, 6, 7, 8, tzinfo=UTC)
    path = "[bold]year=2024/" + "deep/" * 20 + "\x1b[31m.parquet"
    objects = [ObjectInfo(path, 34_700_000, when, '"' + "0123456789" * 4 + '"')]
    text = io.StringIO()
    print_objects(Console(file=text, width=80), objects, more=True)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "34.7 MB  2024-05-06 07:08  01234567890…" in lines[1]
    assert "\x1b" not in text.getvalue()
    assert "".join(line.split()[0] for line in lines[1:-1]) == path.replace("\x1b", "\\x1b")
    assert lines[-1].startswith("the first 1; there may be more")


# --- preview ---------------------------------------------------------------------------------------------------------


def test_preview_on_this_machine(run: Any, files: Path) -> None:
    code, out, err = run("preview", "sales/t.parquet", "-n", "2")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert " ".join(lines[0][1:]).startswith("(parquet): 2 of 3 rows, 3 columns")
    assert lines[1:5] == [["column", "type"], ["id", "Int64"], ["name", "String"], ["x", "Float64"]]
    assert lines[6:] == [["id", "name", "x"], ["1", "a", "0.5"], ["2", "b", "nan"]]


def test_preview_as_json_with_columns_and_a_condition(run: Any, files: Path) -> None:
    out = run("preview", "sales/t.parquet", "--json", "--columns", "x, id", "--where", "id > 1")[1]
    found = json.loads(out)
    assert found["rows"] == [{"x": None, "id": 2}, {"x": 2.0, "id": 3}]
    assert found["schema"] == {"id": "Int64", "name": "String", "x": "Float64"}
    assert (found["format"], found["total"]) == ("parquet", 3)


def test_preview_of_all_kinds_of_values(run: Any, tmp_path: Path) -> None:
    row = {"day": date(2024, 1, 2), "raw": b"\x00\xff", "list": [{"a": [1, None]}], "at": datetime(2024, 1, 2, 3)}
    pl.DataFrame([row]).write_parquet(tmp_path / "t.parquet")
    found = json.loads(run("preview", "t.parquet", "--json")[1])["rows"]
    assert found == [{"day": "2024-01-02", "raw": "00ff", "list": [{"a": [1, None]}], "at": "2024-01-02T03:00:00"}]
    assert "2024-01-02 03:00:00" in run("preview", "t.parquet")[1]


def test_preview_in_another_format(run: Any, files: Path) -> None:
    (files / "t.txt").write_bytes((files / "raw" / "a.csv").read_bytes())
    assert "pass format='csv'" in run("preview", "sales/t.txt")[2]
    assert "(csv): 3 of 3 rows" in run("preview", "sales/t.txt", "--format", "csv")[1]


def test_preview_on_a_cloud(run: Any, cloud: str) -> None:
    bucket_of(f"{cloud}/preview/t.csv", **fields_of(cloud, None, options(cloud)[1:])).write(DF)
    code, out, err = run("preview", f"{cloud}/preview/t.csv", "-n", "1", *options(cloud))
    assert (code, err) == (0, "")
    assert out.startswith(f"{cloud}/preview/t.csv (csv): 1 of 3 rows, 3 columns")
    assert out.splitlines()[-1].split() == ["1", "a", "0.5"]


@pytest.mark.parametrize(("width", "shown"), [(20, 1), (40, 2), (80, 5), (1000, 7)])
def test_columns_that_do_not_fit_are_named(width: int, shown: int) -> None:
    columns = [f"column {number}" for number in range(7)]
    rows = pl.DataFrame({name: ["[i]v", "a value\x1b[2J", None] for name in columns})
    text = io.StringIO()
    print_preview(Console(file=text, width=width), Preview("u", "csv", rows.schema, rows, None, 10))
    assert max(len(line.rstrip()) for line in text.getvalue().splitlines()) <= width
    table = text.getvalue().split("\n\n")[1]
    assert table.count("[i]v") == table.count("a value\\x1b[2J") == table.count("null") == shown
    said = re.search(r"not shown: (.*) \(choose with --columns\)", " ".join(table.split()))
    assert (said[1].split(", ") if said else []) == columns[shown:]


def test_long_values_are_cut_and_no_rows_are_fine() -> None:
    rows = pl.DataFrame({"text": ["x" * 100, "short"]})
    text = io.StringIO()
    console = Console(file=text, width=60)
    print_preview(console, Preview("u", "csv", rows.schema, rows, 2, 10))
    print_preview(console, Preview("u", "csv", rows.schema, rows.clear(), 0, 10))
    assert "x" * 31 + "…" in text.getvalue()
    assert "0 of 0 rows" in text.getvalue()


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "provider", "place"),
    [
        ("s3://sales/raw/t.csv", None, ("aws", "sales", "raw/t.csv", "csv")),
        ("s3://sales/raw/", None, ("aws", "sales", "raw", "parquet")),
        ("s3://sales", None, ("aws", "sales", "**", "parquet")),
        ("sales/raw/*.csv", "aws", ("aws", "sales", "raw/*.csv", "csv")),
        ("gs://sales/t", None, ("gcp", "sales", "t", "parquet")),
    ],
)
def test_the_bucket_of_an_address(target: str, provider: str | None, place: tuple[str, ...]) -> None:
    fields = {"region": "us-east-1"} if provider_of(target, provider) == "aws" else {"project_id": "my-project"}
    bucket = bucket_of(target, provider, **fields)
    assert (bucket.on, bucket.bucket_name, bucket.path, bucket.format) == place


def test_the_environment_and_the_options_make_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_PROFILE", "dev")
    pairs = ["profile=prod", "account_id=012345678901", "session_duration=900", "allow_http=true"]
    config = bucket_of("s3://sales/t", **fields_of("s3://sales/t", None, pairs)).provider.config
    assert (config.region, config.profile, config.account_id) == ("eu-west-1", "prod", "012345678901")
    assert (config.session_duration, config.allow_http) == (900, True)
    assert fields_of("s3://sales/t", None, [], "us-east-1") == {"region": "us-east-1"}
    assert fields_of("az://sales/t", None, [], "eastus") == {"location": "eastus"}


def test_paths_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a:b").mkdir()
    (tmp_path / "a:b" / "t.parquet").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a:b" / "t.parquet")
    monkeypatch.chdir(tmp_path / "a:b")
    assert bucket_of("t.parquet").uri == bucket_of(str(tmp_path / "link")).uri == f"{tmp_path}/a:b/t.parquet"
    assert bucket_of("../link", format="csv").format == "csv"
    assert bucket_of("*/t[1].csv").uri == f"{tmp_path}/a:b/*/t[1].csv"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["s3://sales/t", "--provider", "gcp"],
            "error: 's3://sales/t' is no address of the provider 'gcp'\nhint: leave",
        ),
        (["https://sales/t"], "error: 'https://sales/t' begins with no known scheme\nhint: known: s3://, gs://, az://"),
        (["s3://"], "error: 's3://' names no bucket\nhint: write s3://bucket/path"),
        (["/"], "error: '/' names no file or folder\nhint: name one inside it"),
        (["s3://sales/t"], "error: AWSProvider needs region: AWS_REGION or AWS_DEFAULT_REGION is not set\nhint: set"),
        (["s3://sales/t", "-o", "regin=x"], "error: AwsConfig has no field 'regin'\nhint: did you mean 'region'?"),
        (["s3://sales/t", "-o", "regin"], "error: 'regin' is no option\nhint: write key=value"),
        (["az://c/t", "-o", "account_key=hunter2"], "error: account_key is a secret, and a command line is seen"),
        (["t.csv", "--region", "x"], "error: LocalConfig has no region\nhint: leave out the region"),
        (["t.csv", "-o", "layout=flat"], "error: a path on this machine takes no layout\nhint: name a provider"),
        (["sales/t", "--provider", "asw"], "error: unknown provider 'asw'\nhint: did you mean 'aws'?"),
    ],
)
def test_errors_are_one_clean_line(run: Any, arguments: list[str], message: str) -> None:
    for command in ("ls", "preview"):
        code, out, err = run(command, *arguments)
        assert (code, out) == (1, "")
        assert err.startswith(message)
        assert "hunter2" not in err
        assert len(err.splitlines()) <= 2


def test_secrets_name_their_variable() -> None:
    with pytest.raises(ConfigError, match="set AZURE_STORAGE_CONNECTION_STRING"):
        fields_of("az://c/t", None, ["connection_string=x"])
