"""Secrets where a user has some, each a word that nothing else says, and a notebook that uses every command."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from servers.azurite import Azurite
from terraform.provider_schemas import ends
from terraform.terraform_cli import PROGRAM, lay_out

from browser.lab import Lab

SEEN = 12
"""Characters of a secret that nobody may see: it may not be told in part either."""


def canary(name: str) -> str:
    """Return a word that occurs nowhere else."""
    return hashlib.sha256(f"planted: {name}".encode()).hexdigest()[:24]


def _base64(name: str) -> str:
    return base64.b64encode(canary(name).encode() * 2).decode()


SECRETS = {
    "AWS_ACCESS_KEY_ID": f"AKIA{canary('access key')[:16].upper()}",
    "AWS_SECRET_ACCESS_KEY": f"{canary('secret key')}/+Xq4",
    "AWS_SESSION_TOKEN": f"{canary('session')}==",
    "PLANTED_ACCOUNT_KEY": Azurite.account_key,
    "PLANTED_CONNECTION": f"AccountName=acme;AccountKey={_base64('connection')};EndpointSuffix=core.windows.net",
    "PLANTED_DB_PASSWORD": f'{canary("database")}"/+<b>é',
    "PLANTED_TOKEN": canary("token"),
    "PLANTED_ENDPOINT": f"https://user:{canary('endpoint')}@store.example",
    "PLANTED_ADDRESS": f"https://user:{canary('address')}@127.0.0.1:1/list?sig={canary('signature')}",
    "PLANTED_DEFAULT_SECRET": canary("a secret default"),
    "PLANTED_DEFAULT": canary("a plain default"),
    "PLANTED_PARAMETER": canary("a parameter of a pipeline"),
    "PLANTED_ARGUMENT": canary("an argument of a task"),
    "TF_VAR_enrich_db_password": canary("a variable of Terraform"),
    "TF_VAR_enrich_api_token": canary("another variable of Terraform"),
    "TF_VAR_enrich_db_url": canary("a third variable of Terraform"),
    "TF_VAR_enrich_greeting": canary("a fourth variable of Terraform"),
}
"""The variables of the process in which the user works."""

# In the text of a variable only this part is secret, where it is not all of it.
_PARTS = {
    "PLANTED_CONNECTION": [_base64("connection")],
    "PLANTED_ENDPOINT": [canary("endpoint")],
    "PLANTED_ADDRESS": [canary("address"), canary("signature")],
}


@cache
def private_key() -> str:
    """Return a new private key as PEM text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


def words() -> dict[str, str]:
    """Return every secret by where it comes from."""
    lines = [line for line in private_key().splitlines() if len(line) > SEEN and not line.startswith("---")]
    found = {f"{name}, part {n}": part for name, parts in _PARTS.items() for n, part in enumerate(parts)}
    found |= {name: text for name, text in SECRETS.items() if name not in _PARTS}
    return found | {f"private key, line {n}": line for n, line in enumerate(lines)}


def plant(folder: Path, endpoints: Mapping[str, str]) -> dict[str, str]:
    """Write what lies in files of the user's, outside of the project; return the variables of the process."""
    account = {"type": "service_account", "project_id": "testing", "private_key_id": "1", "private_key": private_key()}
    account |= {"client_email": "tests@testing.iam.gserviceaccount.com", "token_uri": "http://127.0.0.1:1/token"}
    (folder / "account.json").write_text(json.dumps(account))
    mirror = lay_out(folder / "mirror", [each for each in ends("newest") if each.name == "aws"])
    settings = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n'
    (folder / "terraform.tfrc").write_text(settings)
    (folder / "enrich.zip").write_bytes(b"PK\5\6" + bytes(18))
    terraform = {"TF_VAR_enrich_package": str(folder / "enrich.zip")}
    terraform |= {"TF_CLI_CONFIG_FILE": str(folder / "terraform.tfrc"), "TF_DISABLE_PLUGIN_TLS": "1"}
    own = {"PLANTED_ACCOUNT": str(folder / "account.json"), "PLANTED_LINKS": str(folder / "links.txt")}
    return {**SECRETS, **terraform, **own, **{f"PLANTED_{cloud.upper()}": url for cloud, url in endpoints.items()}}


# --- looking for them --------------------------------------------------------------------------------------------


def forms(word: str) -> Iterator[bytes]:
    """Yield the beginning of a word as it is, and as an address, hexadecimal text or base64 would have it."""
    head = word[:SEEN]
    yield from (each.encode() for each in (head, quote(head), quote(head, safe=""), head.encode().hex()))
    for before in range(3):
        coded = base64.b64encode(bytes(before) + head.encode() + b"?")
        yield coded[-(-before * 8 // 6) : (before + len(head)) * 8 // 6]


def found_in(data: bytes, wanted: Mapping[str, str]) -> list[str]:
    """Return where the secrets come from that are in the data."""
    return sorted({name for name, word in wanted.items() if any(form in data for form in forms(word))})


# --- the project and its notebook --------------------------------------------------------------------------------

PROJECT = """
default = "aws"

[env.aws]
provider = "aws"
region = "us-east-1"
account_id = "123456789012"
endpoint_url = "${PLANTED_AWS}"

[env.aws.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"

[env.aws.resources.sales_report]
bucket = "sales"
path = "report.parquet"

[env.aws.resources.enrich]
handler = "enrich.handler"

[env.aws.resources.enrich.config.environment_vars]
DB_PASSWORD = "${PLANTED_DB_PASSWORD}"
DB_URL = "postgres://user:${PLANTED_DB_PASSWORD}@db.example/sales"
API_TOKEN = "${PLANTED_TOKEN}"
GREETING = "hello ${PLANTED_DB_PASSWORD}"

[env.azure]
provider = "azure"
subscription_id = "..."
resource_group = "data"
location = "eastus"
endpoint_url = "${PLANTED_AZURE}"
storage_account = "devstoreaccount1"
account_key = "${PLANTED_ACCOUNT_KEY}"

[env.azure.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"

[env.connected]
provider = "azure"
subscription_id = "..."
resource_group = "data"
location = "eastus"
endpoint_url = "${PLANTED_AZURE}"
storage_account = "devstoreaccount1"
connection_string = "${PLANTED_CONNECTION}"

[env.connected.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"

[env.gcp]
provider = "gcp"
project_id = "testing"
endpoint_url = "${PLANTED_GCP}"
credentials_path = "${PLANTED_ACCOUNT}"

[env.gcp.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"

[env.encrypted]
extends = "gcp"
endpoint_url = "https://127.0.0.1:1"

[env.refused]
provider = "aws"
region = "us-east-1"
endpoint_url = "${PLANTED_ENDPOINT}"

[env.laptop]
provider = "local"
base_path = "${PLANTED_TOKEN}"
"""
TASKS = """
import logging
import os
import sys
from pathlib import Path

import polars as pl
from pydantic import SecretStr

logging.basicConfig(level="DEBUG", stream=sys.stderr)
for name in ("botocore", "boto3", "urllib3", "asyncio", "azure", "google", "parso", "Comm"):
    logging.getLogger(name).setLevel("WARNING")
env.get("sales_raw").write(pl.DataFrame({"category": ["toys", "books"] * 50, "amount": range(100)}))
links = {}
for cloud in ("aws", "azure", "gcp"):
    get_ipython().run_line_magic("glacier", f"env {cloud} --as other")
    links[cloud] = other.get("sales_raw").url(expires=60)
%glacier env connected --as other
Path(os.environ["PLANTED_LINKS"]).write_text("\\n".join(links.values()))

def secret(name):
    return os.environ[f"PLANTED_{name}"]

def tell():
    "What people do when they look for what is wrong."
    print("connecting with", secret("DB_PASSWORD"))
    sys.stdout.write(f"connecting with {secret('TOKEN')}, half of a line, ")
    print(repr(secret("DB_PASSWORD")), {"key": os.environ["AWS_SECRET_ACCESS_KEY"]})
    print(f"Authorization: Bearer {os.environ['AWS_SESSION_TOKEN']}", file=sys.stderr)
    logging.getLogger("app").debug("password %s", secret("DB_PASSWORD"))
    logging.getLogger("app").warning("password %r", secret("DB_PASSWORD"))
    logging.getLogger("app").error(f"account {secret('ACCOUNT_KEY')} {secret('CONNECTION')}")

@env.task()
def extract(
    sales_raw: Bucket,
    key: SecretStr = SecretStr(secret("DEFAULT_SECRET")),
    plain: str = secret("DEFAULT"),
) -> pl.DataFrame:
    "The sales as they came."
    tell()
    return sales_raw.read()

@env.task(cache=True)
def by_category(df: pl.DataFrame, token: SecretStr, plain: str = "") -> pl.DataFrame:
    "What each category brought."
    return df.group_by("category").agg(total=pl.sum("amount")).sort("category")

@env.task(executor="process")
def elsewhere(df: pl.DataFrame, token: SecretStr) -> pl.DataFrame:
    "In a process of its own."
    import os
    print("connecting with", os.environ["PLANTED_DB_PASSWORD"])
    return df

@env.task()
def link(df: pl.DataFrame, given: str) -> str:
    "A link for the others."
    return given

@env.task()
def save(df: pl.DataFrame, sales_report: Bucket) -> pl.DataFrame:
    sales_report.write(df)
    return df

@env.task(retries=1, retry_delay=0.01)
def fetch(df: pl.DataFrame, address: str = secret("ADDRESS")) -> pl.DataFrame:
    "What nobody serves."
    try:
        raise OSError(13, f"no route to {address}", address)
    except OSError as error:
        cause = f"{'x' * 470} GET {address} with {secret('DB_PASSWORD')} failed: {links['aws']}"
        failure = ConnectionError(cause)
        failure.add_note(f"the key was {secret('TOKEN')}")
        raise failure from error

@env.pipeline()
def report(token: SecretStr = SecretStr(secret("PARAMETER"))):
    "Sales by category."
    result = elsewhere(by_category(extract(), token, secret("ARGUMENT")), token)
    link(result, links["aws"])
    return save(result)

@env.pipeline()
def broken(api_key: str = secret("PARAMETER")):
    "It fails."
    return save(fetch(extract()))
"""
FAILS = "# it fails\n"
CELLS = (
    "%load_ext glacier_magics",
    TASKS,
    "%glacier",
    "%glacier env",
    "%glacier ls",
    "%glacier ls sales_raw/*",
    "%glacier preview sales_raw",
    "%glacier tasks",
    "%glacier pipelines",
    "%glacier dag report --live",
    "%glacier plan report",
    "%glacier run report -o result",
    "report.run(token=SecretStr(secret('PARAMETER')), progress=True).height",
    f"{FAILS}%glacier run broken",
    "%glacier debug",
    f"{FAILS}broken.run(progress=False)",
    f"{FAILS}fetch(result)",
    f"{FAILS}raise RuntimeError('of mine') from broken.last_run.steps and None",
    "%glacier dag broken",
    "%glacier step report",
    "%glacier step report",
    "%glacier load extract --json",
    "%glacier load by_category --json",
    "%glacier load fetch --json",
    "%glacier runs",
    "runs = env.runs\nfailed = next(each for each in runs if each.state == 'failed')\nfailed",
    "get_ipython().run_line_magic('glacier', f'logs {failed.id}')",
    "get_ipython().run_line_magic('glacier', f'logs {failed.id} --json')",
    "print(*failed.logs(), *failed.attempts('fetch'), sep='\\n')",
    f"{FAILS}get_ipython().run_line_magic('glacier', f'resume {{failed.id}}')",
    "%glacier explain enrich",
    "%glacier explain fetch",
    "%glacier diff aws azure",
    "%glacier diff connected gcp",
    f"{FAILS}%glacier env refused",
    f"{FAILS}%glacier env laptop --option account_key=x",
    f"{FAILS}%glacier preview sales_raw --env connected",
    f"{FAILS}%glacier preview sales_raw --env encrypted",
    "%glacier export -o infra",
    "%glacier export report -o of_report --check",
    f"{'' if PROGRAM else FAILS}%glacier deploy infra --plan --local-state",
    "env.export_state('state.json').name",
    "env.describe()",
    "env.get_state(), env.configuration(), env.provider, env.provider.config, env.get('enrich').config",
    "env",
    "%glacier env azure\nenv.describe(), env.provider.config, env.get('sales_raw').storage_options(), env",
    "%glacier env connected\nenv.describe(), env.provider.config, env.export_state('connected.json').name",
    "%glacier env gcp\nenv.describe(), env.provider.config, env.export_state('gcp.json').name",
    "%glacier --json",
)


def fails(source: str) -> bool:
    """Whether a cell is to fail."""
    return source.startswith(FAILS)


def write(lab: Lab, name: str) -> Path:
    """Write the project, and in it the notebook, whose cells all run even where one fails."""
    folder = lab.root / name
    folder.mkdir()
    (folder / "glacier.toml").write_text(PROJECT)
    return lab.write(f"{name}/{name}.ipynb", *CELLS, tags=["raises-exception"])
