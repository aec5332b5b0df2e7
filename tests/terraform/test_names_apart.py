"""Names that read alike, clouds side by side, and orders: each thing stays itself, in every run."""

import os
import re
import subprocess
import sys
import zipfile
from itertools import permutations
from pathlib import Path
from typing import Any

import example_code
import pytest

from glacier import Bucket, GlacierEnv, Serverless, task
from glacier.config import AwsConfig, AzureFunctionConfig, S3Config
from glacier.environment import Defaults
from glacier.errors import ConfigError, InfrastructureError
from glacier.providers import AWSProvider
from terraform.configuration import read
from terraform.examples import CLOUDS
from terraform.provider_schemas import ENDS, ends
from terraform.schema_checker import check

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")

each_cloud = pytest.mark.parametrize("cloud", CLOUDS)


@task(executor="serverless", timeout=1)
def daily_load() -> int:
    return 1


@task(executor="serverless", timeout=1)
def load() -> int:
    return 2


@task(executor="serverless", timeout=1)
def runner() -> int:
    return 3


def sound(folder: Path) -> bool:
    return {end: check(folder, ends(end)) for end in ENDS} == {end: [] for end in ENDS}


def text(folder: Path, name: str) -> str:
    return (folder / name).read_text("utf-8")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def targets(folder: Path) -> list[str]:
    return sorted(re.findall(r'GLACIER_TARGET"?\s*= "[^"]*:(\w+)"', text(folder, "functions.tf")))


@each_cloud
def test_tasks_whose_functions_would_share_a_name_have_one_each(cloud: str, tmp_path: Path) -> None:
    env = CLOUDS[cloud].env()
    one, other = env.bind(daily_load), env.bind(load)

    @env.pipeline(name="etl")
    def first() -> Any:
        return one()

    @env.pipeline(name="etl-daily")
    def second() -> Any:
        return other()

    assert sound(Path(env.export(tmp_path)["output_dir"]))
    assert targets(tmp_path) == ["daily_load", "load"]
    assert len(list(tmp_path.glob("packages/*.zip"))) == 2


@each_cloud
def test_a_task_called_runner_is_not_the_runner(cloud: str, tmp_path: Path) -> None:
    env = CLOUDS[cloud].env()
    run = env.bind(runner)

    @env.pipeline(schedule="rate(1 hour)")
    def etl() -> Any:
        return run()

    found = env.export(tmp_path)
    assert targets(tmp_path) == ["etl", "runner"]
    needed = {each["principal"] for each in found["permissions"] if each["uses"][0]["task"] == "runner"}
    assert "etl_runner" in needed


def test_a_function_of_the_users_is_not_taken_for_a_task(tmp_path: Path) -> None:
    env = CLOUDS["aws"].env()
    env.register("mine", env.provider.serverless("etl-load", handler="handlers.clean"))
    other = env.bind(load)

    @env.pipeline()
    def etl() -> Any:
        return other(), env.get("mine").invoke({})

    env.export(tmp_path)
    assert targets(tmp_path) == ["load"]
    assert "handlers.clean" in text(tmp_path, "functions.tf")


def test_what_belongs_to_a_bucket_or_a_function_has_a_label_of_its_own(tmp_path: Path) -> None:
    env = CLOUDS["aws"].env(defaults=Defaults(tags={"monitoring": "enabled"}))
    to: Any = {"destination_bucket": "sales-copy", "destination_region": "us-west-2"}
    env.register("sales", env.provider.bucket("sales", path="x.csv", config=S3Config(replication_config=to)))
    for name in ("sales_replica", "logs", "sales_1", "sales1"):
        env.register(name, env.provider.bucket(f"b-{name.replace('_', '-')}", path="x.csv"))
    for name in ("sales", "sales_replication", "sales_trust", "sales_tls_only", "etl_runner_schedule"):
        env.register(f"fn_{name}", env.provider.serverless(name.replace("_", "-"), handler="handlers.clean"))
    nightly = env.bind(example_code.nightly)
    env.register("feed", env.provider.bucket("feed", path="feed.csv"))
    env.register("copy", env.provider.bucket("copy", path="copy.csv"))

    @env.task()
    def everything() -> None:
        for name in env.resources:
            if name.startswith("fn_"):
                env.get(name).invoke({})
            else:
                env.get(name).read()

    @env.pipeline()
    def etl() -> None:
        everything()
        for each in resources:
            each.read() if isinstance(each, Bucket) else each.invoke({})

    resources = list(env.resources.values())
    env.export(tmp_path)
    assert nightly.name == "nightly"
    assert sound(tmp_path)
    for document in text(tmp_path, "iam.tf").split("\n}\n"):
        sids = re.findall(r'sid += "(\w+)"', document)
        assert len(set(sids)) == len(sids)


def test_a_name_in_the_cloud_and_a_registered_one_are_two_names(tmp_path: Path) -> None:
    env = CLOUDS["aws"].env()
    env.register("data", env.provider.bucket("registered", path="x.csv"))
    other = env.provider.bucket("data", path="x.csv")

    @env.pipeline()
    def reads() -> None:
        env.get("data").read()
        other.read()

    reads.run("generate", output_dir=tmp_path)
    assert sound(tmp_path)
    storage = text(tmp_path, "storage.tf")
    assert ('bucket = "registered"' in storage, 'bucket = "data"' in storage) == (True, True)


def side_by_side(env: GlacierEnv, *, functions: bool) -> Any:
    """A pipeline with a bucket of one name in every cloud, and a function in one or in all of them."""
    providers = [each.provider() for each in CLOUDS.values()]
    buckets = [each.bucket("data", path="x.csv") for each in providers]
    called = [each.serverless("clean", handler="handlers.clean") for each in providers[: None if functions else 1]]

    @env.task()
    def touch(buckets: list[Bucket], called: list[Serverless]) -> None:
        for each in buckets:
            each.read()
        for function in called:
            function.invoke({})

    @env.pipeline()
    def mixed() -> None:
        touch(buckets, called)

    return mixed


def test_clouds_side_by_side_share_no_label(tmp_path: Path) -> None:
    env = CLOUDS["aws"].env()
    found = side_by_side(env, functions=False).run("generate", output_dir=tmp_path)
    assert sound(tmp_path)
    outputs = [block.labels[0] for block in read(tmp_path / "outputs.tf", pytest.fail)]
    assert len([name for name in outputs if name.startswith("bucket_data")]) == 3
    assert {each.partition("_")[0] for each in found["resources"]} >= {"aws", "google", "azurerm"}


def test_two_zips_of_one_name_are_refused(tmp_path: Path) -> None:
    env = CLOUDS["aws"].env()
    with pytest.raises(InfrastructureError, match=r"packages/clean\.zip would be two different files"):
        side_by_side(env, functions=True).run("generate", output_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_order_of_registration_matters(tmp_path: Path) -> None:
    makers: list[tuple[str, Any]] = [
        ("b", lambda: CLOUDS["gcp"].provider().bucket("bbb", path="b.csv")),
        ("a", lambda: CLOUDS["aws"].provider().bucket("aaa", path="a.csv", config=S3Config(platform=True))),
        ("f", lambda: CLOUDS["aws"].provider().serverless("f", handler="nowhere.f")),
        ("z", lambda: CLOUDS["azure"].provider().bucket("zzz", path="z.csv")),
    ]
    seen: list[dict[str, bytes]] = []
    for place, order in enumerate(permutations(makers)):
        env = CLOUDS["aws"].env()
        for name, make in order:
            env.register(name, make())
        env.export(tmp_path / str(place))
        seen.append(files(tmp_path / str(place)))
    assert all(each == seen[0] for each in seen)


HASHED = """
import sys
from terraform.examples import CLOUDS, EXAMPLES
for cloud in CLOUDS:
    for example in ("shared", "functions", "template", "rich"):
        EXAMPLES[example](CLOUDS[cloud]).run(mode="generate", output_dir=f"{sys.argv[1]}/{cloud}/{example}")
"""


def test_no_order_of_hashes_matters(tmp_path: Path) -> None:
    seen: list[dict[str, bytes]] = []
    for seed in ("1", "2"):
        own = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-W", "ignore", "-c", HASHED, str(tmp_path / seed)]
        subprocess.run(command, env=own, check=True)
        seen.append(files(tmp_path / seed))
    assert seen[0] == seen[1]


# Long names ----------------------------------------------------------------------------------------------------------

LONG = "Production_eu-central-1_with_a_long_name_of_almost_63_charact"


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("production", None), ("eu-west-1-blue-green", "glacier-eu-west-1-bl-"), (LONG, "glacier-production-e-")],
)
def test_names_of_aws_fit_whatever_the_environment_is_called(name: str, prefix: str | None, tmp_path: Path) -> None:
    env = GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1")), name)
    fn = "a-function-with-a-name-that-is-as-long-as-lambda-allows-it-to-be"
    to: Any = {"destination_bucket": "copied", "destination_region": "us-west-2"}
    label = "a_bucket_with_a_name_that_is_as_long_as_a_registered_one_can_be"
    env.register(label, env.provider.bucket("data", path="x", config=S3Config(replication_config=to)))
    env.register("fn", env.provider.serverless(fn, handler="handlers.clean"))
    env.register("feed", env.provider.bucket("feed", path="feed.csv"))
    env.register("copy", env.provider.bucket("copy", path="copy.csv"))
    env.bind(example_code.nightly)
    env.export(tmp_path)
    given = re.findall(r'aws_prefix\s*= "(.*)"', text(tmp_path, f"environments/{name}.tfvars"))
    assert [each[: len(prefix or "")] for each in given] == ([] if prefix is None else [prefix])
    begin = given[0] if given else f"glacier-{name}"
    assert re.fullmatch(r"[a-z][a-z0-9-]{1,26}", begin)
    named = re.findall(
        r'name +(?:=|:) "\$\{local\.prefix\}(.*)"', text(tmp_path, "iam.tf") + text(tmp_path, "schedules.tf")
    )
    assert len(named) == 5
    assert all(len(begin + each) <= 64 for each in named)


def test_environments_whose_names_need_a_shorter_form_share_a_module_with_others(tmp_path: Path) -> None:
    several = [GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1")), name) for name in ("dev", LONG)]
    for env in several:
        env.register("sales", env.provider.bucket(f"sales-{env.name[:3].lower()}", path="x"))
    several[0].export(tmp_path, environments=several)
    assert sound(tmp_path)
    assert "aws_prefix" in text(tmp_path, f"environments/{LONG}.tfvars")
    assert "aws_prefix" not in text(tmp_path, "environments/dev.tfvars")


# Modules -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_modules_of_two_pipelines_of_one_environment_do_not_meet(cloud: str, tmp_path: Path) -> None:
    env = CLOUDS[cloud].env()
    env.register("fn", env.provider.serverless("fn", handler="handlers.clean"))
    for name in ("first", "second"):

        @env.pipeline(name=name)
        def calls() -> Any:
            return env.get("fn").invoke({})

        calls.run("generate", output_dir=tmp_path / name)
    env.export(tmp_path / "whole")
    states = {
        re.findall(r'(?:key|prefix)\s*= "(.*)"', next(tmp_path.glob(f"{each}/backends/*")).read_text())[0]
        for each in ("first", "second", "whole")
    }
    assert len(states) == 3


def test_the_roles_and_logs_of_two_pipelines_of_one_environment_on_azure_do_not_meet(tmp_path: Path) -> None:
    env = CLOUDS["azure"].env()
    env.register("sales", env.provider.bucket("glacier-sales", path="x.parquet"))
    config = AzureFunctionConfig(log_retention_days=30)
    env.register("fn", env.provider.serverless("fn", handler="handlers.clean", config=config))
    for name in ("first", "second"):

        @env.pipeline(name=name)
        def calls() -> Any:
            env.get("sales").delete()
            return env.get("fn").invoke({})

        calls.run("generate", output_dir=tmp_path / name)
    marks = {re.findall(r"azure_mark = .*", text(tmp_path, f"{name}/locals.tf"))[0] for name in ("first", "second")}
    assert len(marks) == 2
    for name in ("first", "second"):
        assert "${local.azure_mark}" in text(tmp_path, f"{name}/iam.tf")
        named = re.findall(r'"glacier-\$.*', text(tmp_path, f"{name}/monitoring.tf"))
        assert len(named) == 2
        assert all(each.endswith('-${local.azure_mark}"') for each in named)


# Zips ----------------------------------------------------------------------------------------------------------------


def names_in(zipped: Path) -> list[str]:
    with zipfile.ZipFile(zipped) as archive:
        return archive.namelist()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def exported(env: GlacierEnv, handler: str) -> tuple[list[str], list[str]]:
    env.register("fn", env.compute.serverless("fn", handler=handler))
    found = env.export("infra")
    return names_in(Path("infra/packages/fn.zip")), found["warnings"]


def test_a_module_beside_a_folder_of_its_name_is_the_one_that_python_imports(project: Path) -> None:
    (project / "work").mkdir()
    (project / "work" / "old.py").write_text("")
    (project / "work.py").write_text("def clean(event, context): ...\n")
    assert exported(CLOUDS["aws"].env(), "work.clean")[0] == ["work.py"]
    (project / "work" / "__init__.py").write_text("def clean(event, context): ...\n")
    assert exported(CLOUDS["aws"].env(), "work.clean")[0] == ["work/__init__.py", "work/old.py"]


def test_a_bare_entry_point_is_in_main(project: Path) -> None:
    (project / "main.py").write_text("def clean(payload, context): ...\n")
    (project / "__init__.py").write_text("")
    (project / "notes.py").write_text("PASSWORD = 'hush'\n")
    names, _ = exported(CLOUDS["gcp"].env(), "clean")
    assert names == ["glacier_request.py", "main.py", "requirements.txt"]
    with zipfile.ZipFile("infra/packages/fn.zip") as archive:
        assert b"from main import clean" in archive.read("glacier_request.py")


def test_what_a_package_leaves_out_is_said(project: Path) -> None:
    (project / "work" / ".cache").mkdir(parents=True)
    (project / "work" / "__init__.py").write_text("def clean(event, context): ...\n")
    (project / "work" / ".cache" / "x.py").write_text("")
    (project / "work" / "rules.sql").write_text("")
    names, warnings = exported(CLOUDS["aws"].env(), "work.clean")
    assert names == ["work/__init__.py"]
    assert warnings == ["function 'fn': only Python files are in its package, and not work/rules.sql"]


def test_two_environments_of_one_name_are_refused(tmp_path: Path) -> None:
    several = [GlacierEnv(AWSProvider(config=AwsConfig(region=region))) for region in ("us-east-1", "eu-west-1")]
    with pytest.raises(ConfigError, match="two of the environments are called 'default'"):
        several[0].export(tmp_path, environments=several)
