"""The generated policies are what pipelines need: their own calls pass, and each statement is there for one of them.

Calls are recorded between the pipeline and a server of AWS' interfaces, and turned into what IAM is asked for them
(`asked`); what services do in a role's name by themselves cannot be recorded, and is what AWS documents
(`Built.service_calls`).
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from notebook import notebook
from rich.console import Console
from servers.moto import ACCOUNT, Moto
from servers.proxy import Proxy

from glacier import Bucket, GlacierEnv, Serverless, home
from glacier.config import AwsConfig, S3Config
from glacier.errors import AccessError, GlacierError, InfrastructureError
from glacier.providers import AWSProvider
from glacier.resources import formats, writing
from glacier.tasks import Pipeline
from terraform.asked import calls_of, keys_of
from terraform.built import Built
from terraform.examples import CLOUDS, EXAMPLES
from terraform.policies import Call, Statement, allowed, needless, refused

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")]

FRAME = pl.DataFrame({"id": [1, 2], "amount": [3.5, 4.5]})
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"


@dataclass(frozen=True)
class Place:
    """A server to record on, with a customer's key of KMS."""

    moto: Moto
    proxy: Proxy
    key: str

    def calls(self, run: Callable[[], Any]) -> list[Call]:
        """Return what IAM is asked for what `run` does."""
        self.proxy.reset()
        run()
        return calls_of(self.proxy.log, keys_of(self.moto))

    def fill(self, buckets: Iterable[Bucket]) -> None:
        """Put an object where each of these says."""
        s3 = self.moto.client("s3")
        for each in buckets:
            s3.put_object(Bucket=each.bucket_name, Key=key_in(each), Body=contents(each.format))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with Moto() as moto, Proxy(moto) as proxy, pytest.MonkeyPatch.context() as patch:
        key = moto.client("kms").create_key()["KeyMetadata"]["Arn"]
        moto.client("kms").create_alias(AliasName="alias/archive", TargetKeyId=key)
        variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": proxy.endpoint}
        for name, value in variables.items():
            patch.setenv(name, value)
        yield Place(moto, proxy, key)


def contents(format: str) -> bytes:
    made = io.BytesIO()
    formats.FORMATS[format].sink(FRAME.lazy(), made)
    return made.getvalue()


def key_in(bucket: Bucket) -> str:
    """Return the key of an object that a bucket's path stands for."""
    if not formats.is_pattern(bucket.path):
        file = bucket.path.endswith(formats.FORMATS[bucket.format].suffixes)
        return bucket.path if file else f"{bucket.path}/part.{bucket.format}"
    return bucket.path.replace("**/", "some/where/").replace("*", "a")


# --- one pipeline that does everything ------------------------------------------------------------------------------

KEYED = {"encryption": "aws:kms"}


def lake(key: str) -> Pipeline:
    """Return a pipeline that does all there is to do, with buckets of a customer's key and of AWS' own, and functions.

    Of `archive` and `drop`, which have the key, one is never read, and one never written.
    """
    provider = AWSProvider(config=AwsConfig(region="us-east-1"))
    env = GlacierEnv(provider, "production")
    mine, named = S3Config(**KEYED, kms_key=key), S3Config(**KEYED, kms_key="alias/archive")
    for name, bucket, path, config in (
        ("orders", "lake", "orders/2024/*.parquet", mine),
        ("customers", "lake", "customers", mine),
        ("report", "lake", "reports/latest.parquet", mine),
        ("odd", "lake", "$weird (1).parquet", mine),
        ("old", "archive", "old.parquet", named),
        ("kept", "archive", "kept/*.csv", named),
        ("seen", "archive", "seen.parquet", named),
        ("drop", "drop", "big.csv", mine),
        ("copy", "target", "copy.csv", None),
        ("source", "target", "source.ndjson", None),
    ):
        env.register(name, provider.bucket(bucket, path=path, config=config))
    for name in ("cleaner", "watched", "logged"):
        env.register(name, provider.serverless(f"the-{name}", handler="handlers.clean"))

    @env.task()
    def total(orders: Bucket, customers: Bucket, odd: Bucket, source: Bucket) -> pl.DataFrame:
        frames = [orders.scan(), customers.scan(), odd.scan(), source.read().lazy()]
        return pl.concat(frames, how="diagonal").collect().sum()

    @env.task()
    def save(df: pl.DataFrame, report: Bucket, copy: Bucket) -> None:
        report.write(df)
        report.sink(rows())
        copy.sink(rows())

    @env.task()
    def load(drop: Bucket) -> None:
        drop.sink(rows())

    @env.task()
    def tidy(old: Bucket, kept: Bucket) -> list[str]:
        old.delete()
        return [each.path for each in kept.list()]

    @env.task()
    def look(seen: Bucket, watched: Serverless) -> tuple[bool, bool]:
        return seen.exists(), watched.exists()

    @env.task()
    def call(cleaner: Serverless, logged: Serverless) -> Any:
        return cleaner.invoke({"n": 1}), logged.logs()

    @env.pipeline()
    def reports() -> None:
        save(total())
        load()
        tidy()
        look()
        call()

    return reports


def rows() -> pl.LazyFrame:
    """Return rows of more than one part of an upload."""
    numbers = pl.int_range(800_000, eager=True)
    return pl.LazyFrame({"id": numbers, "noise": numbers.hash(seed=1)})


@pytest.fixture(scope="module")
def recorded(place: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Call], Built]:
    """The calls of that pipeline, run where its module says, and the module."""
    folder, pipeline = tmp_path_factory.mktemp("lake"), lake(place.key)
    pipeline.run(mode="generate", output_dir=folder)
    built = Built(folder, keys={"alias/archive": place.key})
    built.stand_up(place.moto)
    place.fill(pipeline.env.get(name) for name in ("orders", "customers", "odd", "old", "kept", "source"))
    log = {"logGroupName": "/aws/lambda/the-logged", "logStreamName": "2026/01/01/[$LATEST]0"}
    place.moto.client("logs").create_log_stream(**log)
    with pytest.MonkeyPatch.context() as patch, home.using(folder / "memory"):
        # What S3 takes at least (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
        patch.setattr(writing, "_PART", 5 << 20)
        calls = place.calls(pipeline.run)
        for name in ("report", "copy", "drop"):
            calls += _given_up(place, pipeline, pipeline.env.get(name).path)
        return calls, built


def _given_up(place: Place, pipeline: Pipeline, path: str) -> list[Call]:
    """Return the calls of a run in which an upload is given up, as the store takes none of its parts."""
    place.proxy.inject("busy", match=f"{path}.*partNumber=")

    def run() -> None:
        with pytest.raises(InfrastructureError):
            pipeline.run()

    try:
        return place.calls(run)
    finally:
        place.proxy.heal()


def test_every_call_passes_and_every_action_of_every_statement_is_needed(recorded: tuple[list[Call], Built]) -> None:
    calls, built = recorded
    statements = built.statements("reports_runner")
    assert {each.action for each in calls} == {
        *("s3:GetObject", "s3:ListBucket", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
        *("kms:Decrypt", "kms:GenerateDataKey", "lambda:InvokeFunction", "lambda:GetFunctionConcurrency"),
        *("logs:DescribeLogStreams", "logs:GetLogEvents"),
    }
    assert refused(calls, statements) == []
    assert needless(calls, statements, actions=True) == []


def test_a_key_is_used_by_who_reads_or_writes_with_it_and_by_nobody_else(
    recorded: tuple[list[Call], Built], place: Place
) -> None:
    calls, built = recorded
    keys = {each.sid: each for each in built.statements("reports_runner") if each.sid.startswith("UseKey")}
    assert {sid: (each.actions, each.resources) for sid, each in keys.items()} == {
        "UseKeyOfDropAndOrders": (("kms:Decrypt", "kms:GenerateDataKey"), (place.key,)),
    }
    assert {name: keys_of(place.moto).get(name) for name in ("lake", "archive", "drop", "target")} == {
        **dict.fromkeys(("lake", "archive", "drop"), place.key),
        "target": None,
    }
    archived = [call for call in calls if "archive" in call.resource]
    assert {each.action for each in archived} == {"s3:GetObject", "s3:ListBucket", "s3:DeleteObject"}


REFUSED = [
    Call("s3:GetObject", "arn:aws:s3:::lake/secret.parquet"),
    Call("s3:GetObject", "arn:aws:s3:::lake/orders/2023/a.parquet"),
    Call("s3:GetObject", "arn:aws:s3:::lake/xweird (1).parquet"),
    Call("s3:GetObject", "arn:aws:s3:::target/other.csv"),
    Call("s3:GetObject", "arn:aws:s3:::lakes/old.parquet"),
    Call("s3:GetObject", "arn:aws:s3:::archive/kept/a.csv"),
    Call("s3:PutObject", "arn:aws:s3:::lake/orders/2024/a.parquet"),
    Call("s3:PutObject", "arn:aws:s3:::archive/old.parquet"),
    Call("s3:DeleteObject", "arn:aws:s3:::lake/reports/latest.parquet"),
    Call("s3:ListBucket", "arn:aws:s3:::lake", (("s3:prefix", ""),)),
    Call("s3:ListBucket", "arn:aws:s3:::lake", (("s3:prefix", "orders/2024-secret/"),)),
    Call("s3:ListBucket", "arn:aws:s3:::target", (("s3:prefix", "other"),)),
    Call("s3:PutBucketPolicy", "arn:aws:s3:::lake"),
    Call("lambda:InvokeFunction", f"{ARN}the-watched"),
    Call("lambda:InvokeFunction", f"{ARN}the-cleaner-2"),
    Call("lambda:GetFunctionConcurrency", f"{ARN}the-cleaner"),
    Call("lambda:GetFunctionConfiguration", f"{ARN}the-watched"),
    Call("logs:GetLogEvents", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/the-cleaner:log-stream:x"),
    Call("kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/another"),
]


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> list[Statement]:
    folder, key = tmp_path_factory.mktemp("lake"), f"arn:aws:kms:us-east-1:{ACCOUNT}:key/mine"
    lake(key).run(mode="generate", output_dir=folder)
    return Built(folder, keys={"alias/archive": key}).statements("reports_runner")


@pytest.mark.parametrize("call", REFUSED, ids=str)
def test_nothing_else_passes(call: Call, statements: list[Statement]) -> None:
    assert not allowed(call, statements)


# --- the examples ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """An example: the resources whose objects are there before, and what each role does besides what services do."""

    there: tuple[str, ...] = ()
    does: Callable[[Pipeline], Mapping[str, Callable[[], Any]]] = lambda pipeline: {}


def _alone(principal: str) -> Callable[[Pipeline], Mapping[str, Callable[[], Any]]]:
    """All of the pipeline is run by one role."""
    return lambda pipeline: {principal: pipeline.run}


def _with_functions(pipeline: Pipeline) -> Mapping[str, Callable[[], Any]]:
    """The runner calls the function that one of the tasks is, as Glacier itself does not do yet on AWS."""
    env, provider = pipeline.env, pipeline.env.provider

    def runner() -> None:
        env.find_task("call")()
        provider.serverless("scoring-score", handler="glacier_entry.handler").invoke({})
        env.find_task("save")(FRAME, env.get("scores"))

    return {"scoring_runner": runner, "scoring_score": lambda: env.find_task("score").fn(env.get("events"))}


CASES = {
    "sales": Case(("sales_raw",), _alone("sales_pipeline_runner")),
    "shared": Case(("orders", "customers", "everything", "old", "more", "most"), _alone("lake_runner")),
    "functions": Case(("events",), _with_functions),
    "scheduled": Case(("feed",), _alone("nightly_runner")),
    "template": Case(("sales",), _alone("totals_runner")),
    "strict": Case(("sales",), _alone("totals_runner")),
    # Functions are in the other cloud there.
    "composed": Case(("source",), lambda pipeline: {"hybrid_runner": pipeline.env.find_task("extract")}),
    "hostile": Case(("data.2024-raw",), _alone("data_2024_raw_runner")),
    "rich": Case(("tiered", "plain"), _alone("settings_runner")),
    "existing": Case(("old",), _alone("migration_runner")),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_role_of_each_example_may_do_what_it_does_and_needs_each_statement(
    name: str, place: Place, tmp_path: Path
) -> None:
    pipeline = EXAMPLES[name](CLOUDS["aws"])
    case, env = CASES[name], pipeline.env
    pipeline.run(mode="generate", output_dir=tmp_path)
    built = Built(tmp_path, values={"aws_kms_key_arn": place.key})
    built.stand_up(place.moto)
    doing = case.does(pipeline)
    assert doing.keys() <= set(built.principals())
    for principal in built.principals():
        run = doing.get(principal, lambda: None)
        calls = [*_both_ways(place, [env.get(each) for each in case.there], run), *built.service_calls(principal)]
        held = built.statements(principal)
        assert refused(calls, held) == [], principal
        assert needless(calls, held) == [], principal


def _both_ways(place: Place, there: list[Bucket], run: Callable[[], Any]) -> list[Call]:
    """Return the calls of a run, and of further ones in each of which one of the objects is missing.

    That something is missing S3 says only to those who may list.
    """
    place.fill(there)
    calls = place.calls(run)
    for gone in there:
        place.fill(there)
        place.moto.client("s3").delete_object(Bucket=gone.bucket_name, Key=key_in(gone))
        with suppress(GlacierError, pl.exceptions.PolarsError, FileNotFoundError):
            place.proxy.reset()
            run()
        calls += calls_of(place.proxy.log, keys_of(place.moto))
    return calls


def test_a_task_that_is_a_function_has_a_role_of_its_own(tmp_path: Path) -> None:
    EXAMPLES["functions"](CLOUDS["aws"]).run(mode="generate", output_dir=tmp_path)
    built = Built(tmp_path)
    looking = {"ReadEvents", "ListEvents"}
    assert {name: {each.sid for each in built.statements(name)} for name in built.principals()} == {
        "scoring_runner": {*looking, "WriteEvents", "CallCleaner", "CallScoringScore"},
        "scoring_score": {*looking, "WriteLogs", "KeepFailedEvents"},
        "cleaner": {"WriteLogs", "KeepFailedEvents"},
    }


COPY = {"destination_bucket": "kept-copy", "destination_region": "us-west-2"}
OTHER = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/other"


@pytest.mark.parametrize(
    "config",
    [
        {"encryption": "AES256", "replication_config": COPY},
        {"replication_config": COPY},
        {**KEYED, "kms_key": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/mine", "replication_config": COPY},
        {"replication_config": {**COPY, "kms_key": OTHER}},
    ],
    ids=["without keys", "keys of AWS", "a key", "a key of the copy"],
)
def test_the_role_that_copies_may_do_what_s3_does_and_nothing_else(config: dict[str, Any], tmp_path: Path) -> None:
    env = CLOUDS["aws"].env()
    kept = env.register("kept", env.provider.bucket("kept", path="x.parquet", config=S3Config(**config)))

    @env.pipeline()
    def keeping() -> None:
        kept.write(FRAME)

    keeping.run(mode="generate", output_dir=tmp_path)
    built = Built(tmp_path)
    calls, held = built.service_calls("kept_replication"), built.statements("kept_replication")
    assert refused(calls, held) == []
    assert needless(calls, held, actions=True) == []


def test_a_bucket_that_is_there_already_has_the_key_that_its_config_names(place: Place, tmp_path: Path) -> None:
    env = CLOUDS["aws"].env()
    for name, key in (("keyed", place.key), ("unkeyed", None)):
        config = S3Config(existing=True, kms_key=key, **(KEYED if key else {}))
        env.register(name, env.provider.bucket(name, path="x.parquet", config=config))

    @env.task()
    def copy(unkeyed: Bucket, keyed: Bucket) -> None:
        keyed.write(unkeyed.read())

    @env.pipeline()
    def copying() -> None:
        copy()

    copying.run(mode="generate", output_dir=tmp_path)
    held = Built(tmp_path).statements("copying_runner")
    keys = [(each.sid, each.resources) for each in held if each.sid.startswith("UseKey")]
    assert keys == [("UseKeyOfKeyed", (place.key,))]


# --- what is granted ------------------------------------------------------------------------------------------------


def looks(thing: Bucket) -> bool:
    return thing.exists()


def lists(thing: Bucket) -> Any:
    return thing.list()


def reads(thing: Bucket) -> pl.DataFrame:
    return thing.read()


def writes(thing: Bucket) -> None:
    thing.write(FRAME)


def deletes(thing: Bucket) -> None:
    thing.delete()


def ignores(thing: Bucket) -> None:
    """Do nothing with it."""


def hands_over(thing: Bucket) -> None:
    deletes(thing)


def finds(thing: Serverless) -> bool:
    return thing.exists()


def follows(thing: Serverless) -> list[str]:
    return thing.logs()


def calls(thing: Serverless) -> Any:
    return thing.invoke_async({}).result()


def hands_on(thing: Serverless) -> Any:
    return calls(thing)


@pytest.mark.parametrize(
    ("fn", "path", "sids"),
    [
        (looks, "x.parquet", {"ReadThing", "ListThing"}),
        (looks, "x/*.parquet", {"ListThing"}),
        (lists, "x/*.parquet", {"ListThing"}),
        (lists, "x", {"ReadThing", "ListThing"}),
        (reads, "x/*.parquet", {"ReadThing", "ListThing", "UseKeyOfThing"}),
        (writes, "x.parquet", {"ReadThing", "ListThing", "WriteThing", "UseKeyOfThing"}),
        (deletes, "x.parquet", {"ReadThing", "ListThing", "DeleteThing"}),
        (ignores, "x.parquet", set()),
        (hands_over, "x.parquet", {"ReadThing", "ListThing", "WriteThing", "UseKeyOfThing"}),
        (finds, None, {"FindThing"}),
        (follows, None, {"FollowLogOfThing"}),
        (calls, None, {"CallThing"}),
        (hands_on, None, {"CallThing", "FindThing", "FollowLogOfThing"}),
    ],
)
def test_what_a_task_does_with_a_resource_is_what_it_may(
    fn: Callable[..., Any], path: str | None, sids: set[str], tmp_path: Path
) -> None:
    env = CLOUDS["aws"].env()
    config = S3Config(**KEYED, kms_key=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/mine")
    if path is None:
        env.register("thing", env.provider.serverless("thing", "handlers.clean"))
    else:
        env.register("thing", env.provider.bucket("thing", path=path, config=config))
    task = env.task()(fn)

    @env.pipeline()
    def doing() -> None:
        task()

    doing.run(mode="generate", output_dir=tmp_path)
    assert {each.sid for each in Built(tmp_path).statements("doing_runner")} == sids


def test_labels_that_read_alike_give_statements_ids_of_their_own(tmp_path: Path) -> None:
    env = CLOUDS["aws"].env()
    buckets = [env.register(name, env.provider.bucket(name.replace("_", "-"), path="x.csv")) for name in ALIKE]

    @env.pipeline()
    def reading() -> None:
        for bucket in buckets:
            bucket.read()

    reading.run(mode="generate", output_dir=tmp_path)
    ids = [each.sid for each in Built(tmp_path).statements("reading_runner")]
    assert ids == ["ReadData2", "ListData2", "ReadData2No2", "ListData2No2"]


ALIKE = ("data2", "data_2")

# --- a server that refuses ------------------------------------------------------------------------------------------


def guarded(provider: AWSProvider) -> Pipeline:
    """Return a pipeline that reads, lists, writes, deletes and calls."""
    env = GlacierEnv(provider, "guarded")
    for name, path in (("fresh", "in/*.parquet"), ("sums", "out/sums.parquet"), ("done", "done.parquet")):
        env.register(name, provider.bucket("guarded", path=path))
    env.register("counter", provider.serverless("guarded-counter", handler="handlers.clean"))

    @env.task()
    def add_up(fresh: Bucket) -> pl.DataFrame:
        return fresh.read().sum()

    @env.task()
    def keep(df: pl.DataFrame, sums: Bucket, done: Bucket, counter: Serverless) -> Any:
        sums.write(df)
        done.delete()
        return counter.invoke({"rows": df.height})

    @env.pipeline()
    def adding() -> Any:
        return keep(add_up())

    return adding


def test_a_server_that_holds_roles_to_their_policies_lets_the_generated_one_do_all_and_without_a_statement_refuses(
    place: Place, tmp_path: Path
) -> None:
    """Moto signs, and knows actions and resources; conditions and keys it does not ask for."""
    iam = place.moto.client("iam")
    role = iam.create_role(RoleName="adding", AssumeRolePolicyDocument=json.dumps(TRUSTED))["Role"]["Arn"]
    pipeline = guarded(AWSProvider(config=AwsConfig(region="us-east-1", assume_role_arn=role)))
    pipeline.run(mode="generate", output_dir=tmp_path)
    built = Built(tmp_path)
    built.stand_up(place.moto)
    policy = built.policy("adding_runner")
    pipeline.env.storage.storage.credentials.fetch()

    def run(statements: list[Any]) -> Any:
        place.fill(pipeline.env.get(name) for name in ("fresh", "done"))
        held = json.dumps({**policy, "Statement": statements})
        iam.put_role_policy(RoleName="adding", PolicyName="access", PolicyDocument=held)
        with place.moto.guarded():
            return pipeline.run()

    whole = policy["Statement"]
    assert [each["Sid"] for each in whole] == ["ReadFresh", "WriteFresh", "DeleteFresh", "ListFresh", "CallCounter"]
    assert run(whole) == {"rows": 1}
    for statement in whole:
        with pytest.raises(AccessError):
            run([each for each in whole if each is not statement])


TRUSTED = {"Version": "2012-10-17", "Statement": []}


# --- the report -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_statement_is_reported_with_the_task_and_the_line_that_need_it(name: str, tmp_path: Path) -> None:
    found = EXAMPLES[name](CLOUDS["aws"]).run(mode="generate", output_dir=tmp_path)
    built = Built(tmp_path, values={"aws_kms_key_arn": "key"})
    reported = {each["address"]: each for each in found["permissions"]}
    assert {address for address in reported if "aws_iam" in address} == {
        f"data.aws_iam_policy_document.{principal}.{statement.sid}"
        for principal in built.principals()
        for statement in built.statements(principal)
    }
    for principal in built.principals():
        for statement in built.statements(principal):
            told = reported[f"data.aws_iam_policy_document.{principal}.{statement.sid}"]
            assert (told["principal"], tuple(told["actions"])) == (principal, statement.actions)
            assert told["uses"], statement.sid
            assert all(_is_said_there(use) for use in told["uses"]), told["uses"]


def _is_said_there(use: Mapping[str, str]) -> bool:
    """Whether the line of a use says what it is because of: a call of the task, an operation, or the schedule."""
    name, _, number = use["line"].rpartition(":")
    (file,) = Path(__file__).parents[1].rglob(Path(name).name)
    line = file.read_text("utf-8").splitlines()[int(number) - 1]
    return use["task"].removesuffix("()") in line


def test_calls_and_keys_are_reported_for_who_needs_them(tmp_path: Path) -> None:
    key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/mine"
    found = lake(key).run(mode="generate", output_dir=tmp_path)
    tasks = {each["address"].rpartition(".")[2]: [use["task"] for use in each["uses"]] for each in found["permissions"]}
    assert {sid: tasks[sid] for sid in tasks if sid.startswith(("UseKey", "Call", "Find", "Follow"))} == {
        "UseKeyOfDropAndOrders": ["load", "total", "save"],
        "CallCleaner": ["call"],
        "FindWatched": ["look"],
        "FollowLogOfLogged": ["call"],
    }
    assert tasks["WriteOrders"] == ["save"]
    assert tasks["DeleteOld"] == ["tidy"]


SHOWN = """\
from glacier import Bucket, GlacierEnv, Serverless
from glacier.config import AwsConfig, S3Config
from glacier.providers import AWSProvider

env = GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1")), "production")
keyed = S3Config(encryption="aws:kms", kms_key="arn:aws:kms:us-east-1:123456789012:key/mine")
env.register("orders", env.provider.bucket("acme-orders", path="raw/*.parquet", config=keyed))
env.register("cleaner", env.provider.serverless("cleaner", handler="handlers.clean"))

@env.task()
def total(orders: Bucket):
    return orders.read().sum()

@env.task()
def clean(df, cleaner: Serverless):
    return cleaner.invoke(df.to_dicts())

@env.pipeline()
def totals():
    sums = total()
    return clean(sums)
"""


def test_the_tables_of_the_command_and_of_the_magic_name_task_and_line(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("glacier.cli.export.console", lambda: Console(width=400))
    (tmp_path / "pipe.py").write_text(SHOWN)
    code, out, _ = command("export", "pipe.py", "-o", "shown")
    assert code == 0
    rows = {tuple(re.split(" {2,}", line.rstrip())) for line in out.splitlines()}
    calls = ("totals_runner", "lambda:InvokeFunction", "aws_lambda_function.cleaner.arn")
    keys = ("totals_runner", "kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/mine")
    assert {(*calls, "clean (pipe.py:21)"), (*keys, "total (pipe.py:20)")} <= rows
    with notebook(tmp_path / "ipython") as made:
        made.run("%load_ext glacier_magics")
        made.run(SHOWN)
        shown = made.run("%glacier export totals -o again")
    cells = re.findall("<td[^>]*>(.*?)</td>", shown.bundle["text/html"])
    found = {cells[place : place + 3] == list(calls): cells[place + 3] for place in range(len(cells) - 3)}
    assert re.fullmatch(r"clean \(Cell In\[\d+\], line 21\)", found[True])
    assert "kms:Decrypt" in cells
    assert ("principal", "may", "on", "because of") in {
        tuple(re.split(" {2,}", line.rstrip())) for line in shown.bundle["text/plain"].splitlines()
    }
