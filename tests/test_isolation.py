"""Environments with different credentials at work at the same time: each uses its own, and only its own."""

import base64
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from servers.azurite import Azurite
from servers.proxy import Exchange, Proxy
from servers.seaweedfs import OTHER, OWNER
from stores import BUCKET, provider, proxies, stores

from glacier import Bucket, GlacierEnv, Inject
from glacier.config import AzureConfig
from glacier.errors import AccessError
from glacier.providers import AzureProvider

ROUNDS = 100
SHARED = "other-data"
"""A bucket that both users may use: SeaweedFS lets `other` into buckets of such names."""


@pytest.fixture(scope="module", autouse=True)
def _shared_bucket() -> None:
    stores()["aws"].make_bucket(SHARED)


@pytest.fixture(autouse=True)
def _profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    users = {"mine": OWNER, "yours": OTHER}
    line = "[{}]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
    file.write_text("".join(line.format(name, user.access_key, user.secret_key) for name, user in users.items()))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def environment(profile: str) -> GlacierEnv:
    return GlacierEnv(provider("aws", proxies()["aws"].endpoint, profile=profile), profile)


def row(who: str, number: int) -> pl.DataFrame:
    return pl.DataFrame({"who": [who], "number": [number]})


def asked_by(exchange: Exchange) -> str:
    """Return the access key that signed a request."""
    found = re.search(r"Credential=([^/]+)/", exchange.authorization)
    return found[1] if found else "nobody"


def signed(prefixes: dict[str, str]) -> bool:
    """Whether every request to the proxy below a prefix was signed with the access key that belongs to it."""
    seen: dict[str, set[str]] = {prefix: set() for prefix in prefixes}
    for exchange in proxies()["aws"].log:
        for prefix in prefixes:
            if prefix in exchange.path:
                seen[prefix].add(asked_by(exchange))
    return seen == {prefix: {key} for prefix, key in prefixes.items()}


def side_by_side(*jobs: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [job.result() for job in [pool.submit(job) for job in jobs]]


def test_two_environments_write_and_read_at_the_same_time_each_as_itself() -> None:
    proxies()["aws"].reset()

    def work(env: GlacierEnv, numbers: range) -> None:
        for number in numbers:
            bucket = env.provider.bucket(SHARED, f"{env.name}/{number}.parquet")
            bucket.write(row(env.name, number))
            assert bucket.read().equals(row(env.name, number))

    mine, yours = environment("mine"), environment("yours")
    halves = range(ROUNDS // 2), range(ROUNDS // 2, ROUNDS)
    side_by_side(*(partial(work, env, part) for env in (mine, yours) for part in halves))
    store = stores()["aws"].store(SHARED)
    for env in (mine, yours):
        for number in range(ROUNDS):
            data = obstore.get(store, f"{env.name}/{number}.parquet").bytes()
            assert pl.read_parquet(bytes(data)).equals(row(env.name, number))
    assert signed({"/other-data/mine/": OWNER.access_key, "/other-data/yours/": OTHER.access_key})


def test_plans_of_one_object_are_collected_with_the_credentials_of_their_environment() -> None:
    table = pl.DataFrame({"n": range(1000)})
    buckets = {name: environment(name).provider.bucket(SHARED, "both/t.parquet") for name in ("mine", "yours")}
    buckets["mine"].write(table)
    plans = {name: bucket.scan() for name, bucket in buckets.items()}
    for name, user in {"mine": OWNER, "yours": OTHER}.items():
        proxies()["aws"].reset()
        assert plans[name].collect().sort("n").equals(table)
        assert {asked_by(one) for one in proxies()["aws"].log} == {user.access_key}
    for found in side_by_side(*[plan.collect for plan in plans.values()] * 8):
        assert found.sort("n").equals(table)


def test_who_may_not_is_told_where_he_may_not() -> None:
    path = "secret/t.parquet"
    environment("mine").provider.bucket(BUCKET, path).write(row("mine", 0))
    bucket = environment("yours").provider.bucket(BUCKET, path)
    verbs = [bucket.read, bucket.scan, bucket.preview, bucket.list, bucket.stat, bucket.exists, bucket.delete]
    for verb in [*verbs, lambda: bucket.write(row("yours", 0)), lambda: bucket.sink(row("yours", 0).lazy())]:
        with pytest.raises(AccessError) as caught:
            verb()
        assert f"s3://{BUCKET}/{path} on aws" in str(caught.value)
        assert "credentials" in str(caught.value.hint)
    assert environment("mine").provider.bucket(BUCKET, path).read().equals(row("mine", 0))


def pipeline(env: GlacierEnv) -> Any:
    """Register a bucket of the environment's own and return a pipeline that fills it and reads it back."""
    env.register("target", env.provider.bucket(SHARED, f"flow-{env.name}/t.parquet"))

    @env.task()
    def fill(number: int, target: Bucket = Inject("target")) -> int:
        target.write(row(env.name, number))
        return number

    @env.task()
    def check(number: int, target: Bucket = Inject("target")) -> list[dict[str, Any]]:
        return target.read().to_dicts() if number >= 0 else []

    @env.pipeline()
    def flow(number: int) -> list[dict[str, Any]]:
        return check(fill(number))

    return flow


def test_pipelines_of_two_environments_run_side_by_side_each_as_itself() -> None:
    proxies()["aws"].reset()
    flows = {name: pipeline(environment(name)) for name in ("mine", "yours")}
    for number in range(5):
        found = side_by_side(*(partial(flow.run, number=number) for flow in flows.values()))
        assert found == [[{"who": name, "number": number}] for name in flows]
    assert signed({"/other-data/flow-mine": OWNER.access_key, "/other-data/flow-yours": OTHER.access_key})


def test_a_pipeline_bound_to_another_environment_uses_its_credentials() -> None:
    mine, yours = environment("mine"), environment("yours")
    flow = pipeline(mine)
    yours.register("target", yours.provider.bucket(SHARED, "bound/t.parquet"))
    proxies()["aws"].reset()
    assert flow.bind(yours).run(number=1) == [{"who": "mine", "number": 1}]
    assert {asked_by(one) for one in proxies()["aws"].log} == {OTHER.access_key}


# --- accounts of Azure -------------------------------------------------------------------------------------------


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()


class Accounts(Azurite):
    """Azurite with two accounts, `one` and `two` (https://github.com/Azure/Azurite#customized-storage-accounts--keys)."""

    keys = {"one": new_key(), "two": new_key()}
    account_name, account_key = "one", keys["one"]

    def command(self, folder: Path) -> list[str | Path]:
        accounts = ";".join(f"{name}:{key}" for name, key in self.keys.items())
        return ["env", f"AZURITE_ACCOUNTS={accounts}", *super().command(folder)]

    def of(self, account: str, key: str, proxy: Proxy) -> AzureProvider:
        """Return a provider of an account with a key, through a proxy."""
        group = {"subscription_id": "...", "resource_group": "data", "location": "eastus"}
        where = {"storage_account": account, "endpoint_url": f"http://{proxy.host}/{account}"}
        return AzureProvider(config=AzureConfig(**group, **where, account_key=key))


@pytest.fixture
def accounts() -> Iterator[tuple[Accounts, Proxy]]:
    with Accounts() as server, Proxy(server) as proxy:
        for account in server.keys:
            server.endpoint = server.endpoint.replace(f"/{server.account_name}", f"/{account}")
            server.account_name, server.account_key = account, server.keys[account]
            server.make_bucket(BUCKET)
        yield server, proxy


def test_two_accounts_at_the_same_time_and_the_wrong_key(accounts: tuple[Accounts, Proxy]) -> None:
    server, proxy = accounts
    buckets = {
        account: [server.of(account, key, proxy).bucket(BUCKET, f"{number}.parquet") for number in range(ROUNDS // 4)]
        for account, key in server.keys.items()
    }

    def work(account: str) -> None:
        for number, bucket in enumerate(buckets[account]):
            bucket.write(row(account, number))
            assert bucket.read().equals(row(account, number))

    side_by_side(*(partial(work, account) for account in buckets))
    for account, those in buckets.items():
        assert [bucket.read()["who"].item() for bucket in those] == [account] * len(those)
    assert all(f"SharedKey {one.path.split('/')[1]}:" in one.authorization for one in proxy.log)
    wrong = server.of("one", server.keys["two"], proxy).bucket(BUCKET, "0.parquet")
    for verb in (wrong.read, wrong.list, lambda: wrong.write(row("two", 0))):
        with pytest.raises(AccessError, match=f"az://{BUCKET}/0.parquet on azure"):
            verb()
    assert buckets["one"][0].read()["who"].item() == "one"
