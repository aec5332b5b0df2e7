"""What Glacier knows to be secret is in no text that leaves it: errors, logs, journal, cache, state, Terraform."""

import base64
import io
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest
from pydantic import SecretStr

from glacier import GlacierEnv, Inject, Project, redaction
from glacier.config import AwsConfig, AzureConfig, LambdaConfig, LocalConfig, TaskConfig
from glacier.errors import ConfigError, MissingDependencyError
from glacier.home import home
from glacier.providers import AWSProvider, LocalProvider
from glacier.redaction import hushed, learn_variable, quiet, redacted, remember, told
from glacier.settings import MASK
from glacier.unfolding import unfolded

SECRET = 'pa55"wörd/+<b>'


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), name="dev")


def written(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


# --- what is known -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spell",
    [
        str,
        repr,
        json.dumps,
        quote,
        lambda text: quote(text, safe=""),
        *(lambda text, n=n: base64.b64encode(b"user:"[:n] + text.encode() + b"...").decode() for n in range(4)),
    ],
)
def test_a_known_secret_is_found_however_it_is_spelt(spell: Callable[[str], str]) -> None:
    text = f"before {spell(SECRET)} after"
    assert hushed(text) == text
    remember(SECRET)
    assert SECRET[:5] not in hushed(text)
    assert hushed(text).startswith("before ")
    assert hushed(text).endswith(" after")
    assert "***" in hushed(text)


def test_short_words_are_not_kept_in_mind() -> None:
    remember("dev")
    assert hushed("dev and prod") == "dev and prod"


def test_a_key_in_lines_is_known_by_each_of_them() -> None:
    remember("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END PRIVATE KEY-----\n")
    assert hushed("-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADAN\\nBgkqhkiG9w0B") == (
        "-----BEGIN PRIVATE KEY-----\\n***\\n***"
    )


@pytest.mark.parametrize(
    "text",
    [
        "postgres://user:p%40ssw0rd1@db/sales",
        "Server=db;Password=p@ssw0rd1;Encrypt=yes",
        "AccountName=acme;AccountKey=p@ssw0rd1;EndpointSuffix=core.windows.net",
    ],
)
def test_of_an_address_and_a_connection_string_the_password_is_known(text: str) -> None:
    learn_variable("DATABASE_TOKEN", text)
    assert hushed(f"{text} p@ssw0rd1 db acme").endswith(" *** db acme")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("DB_PASSWORD", True),
        ("API_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("AZURE_STORAGE_CONNECTION_STRING", True),
        ("TOKENIZER", False),
        ("PARTITION_KEY", False),
        ("GREETING", False),
    ],
)
def test_a_variable_is_secret_by_its_name(name: str, known: bool) -> None:
    learn_variable(name, "customer_id")
    assert (hushed("customer_id") == "***") is known


def test_configs_parameters_and_defaults_teach_their_secrets(env: GlacierEnv) -> None:
    words = [f"telltale-{number}" for number in range(6)]
    AzureConfig(subscription_id="...", resource_group="g", location="eastus", account_key=SecretStr(words[0]))
    LambdaConfig(environment_vars={"DB_PASSWORD": words[1], "URL": f"https://user:{words[2]}@host/"})
    default, seen = SecretStr(words[3]), list[str]()

    @env.task()
    def first(token: SecretStr, own: SecretStr = default) -> int:
        seen.append(hushed(" ".join(words)))
        return 1

    @env.pipeline()
    def report(token: SecretStr) -> int:
        return first(SecretStr(words[5]))

    report.run(token=SecretStr(words[4]))
    assert seen == ["*** " * 5 + "***"]


def test_a_project_teaches_the_variables_that_are_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLACIER_TESTS_PASSWORD", "telltale-of-the-project")
    text = '[env.dev]\nprovider = "local"\nbase_path = "${GLACIER_TESTS_PASSWORD}"\n'
    (tmp_path / "glacier.toml").write_text(text)
    Project(tmp_path / "glacier.toml").env("dev")
    assert hushed("telltale-of-the-project") == "***"


def test_fetched_credentials_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "telltale-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "telltale-session")
    AWSProvider(config=AwsConfig(region="us-east-1")).storage.credentials()
    assert hushed("testing telltale-secret telltale-session") == "testing *** ***"


# --- what looks like one -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET https://h/b?sig=abc&se=2 failed", "GET https://h/b?sig=***&se=2 failed"),
        ("https://user:pw@host/path", "https://***@host/path"),
        ("Authorization: Bearer abcdefghijklmnop.qrs", "Authorization: Bearer ***"),
        ("the bearer of bad news", "the bearer of bad news"),
        ("a token of love", "a token of love"),
        ("https://host/path?x=1", "https://host/path?x=1"),
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str, clean: str) -> None:
    assert redacted(text) == clean


def test_nothing_is_cut_in_the_midst_of_a_secret() -> None:
    remember("telltale-in-the-midst")
    assert redacted(f"{'x' * 10}telltale-in-the-midst", 14) == f"{'x' * 10}***"
    assert told(ValueError(f"{'x' * 480} telltale-in-the-midst")).endswith("x ***")


# --- errors --------------------------------------------------------------------------------------------------------


def test_an_error_of_ours_never_tells_one() -> None:
    remember("telltale-of-ours")
    error = ConfigError("telltale-of-ours is wrong", hint="not telltale-of-ours")
    assert "telltale" not in str(error) + repr(error) + "".join(error._render_traceback_())


def several(word: str) -> Exception:
    """Return errors that say a word in their arguments, attributes, notes, causes and parts."""
    try:
        try:
            raise FileNotFoundError(2, word, f"/x/{word}")
        except OSError as error:
            raise RuntimeError(f"GET https://user:{word}@h/", {"key": word}) from error
    except RuntimeError as error:
        error.add_note(word)
        return ExceptionGroup("several", [error, KeyError(word), RuntimeError(ValueError(word))])


def test_an_error_and_those_behind_it_are_quietened() -> None:
    import traceback

    remember("telltale-of-errors")
    error = several("telltale-of-errors")
    before = "".join(traceback.format_exception(error))
    quiet(error)
    after = "".join(traceback.format_exception(error))
    assert (before.count("telltale-of-errors"), after.count("telltale-of-errors")) == (7, 0)
    assert after.count("***") == 7


@pytest.mark.parametrize("alone", [True, False])
def test_a_task_raises_its_own_error_without_secrets(env: GlacierEnv, alone: bool) -> None:
    @env.task()
    def fetch() -> int:
        raise LookupError("no https://user:telltale-of-a-task@h")

    @env.pipeline()
    def report() -> int:
        return fetch()

    with pytest.raises(LookupError) as caught:
        fetch() if alone else report.run()
    assert str(caught.value) == "no https://***@h"


def test_wrong_arguments_show_no_defaults(env: GlacierEnv) -> None:
    @env.task()
    def fetch(address: str = "telltale-of-a-default", *, limit: int = 4) -> str:
        return address

    with pytest.raises(MissingDependencyError, match=r"address: str = Ellipsis, \*, limit: int = Ellipsis") as caught:
        fetch(wrong=1)
    assert "telltale" not in str(caught.value)


# --- prints and logs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["local", "process"])
def test_what_tasks_print_and_log_has_no_known_secret(
    env: GlacierEnv, executor: str, capfd: pytest.CaptureFixture[str]
) -> None:
    remember("telltale-of-prints")
    records = io.StringIO()
    handler = logging.StreamHandler(records)
    logging.getLogger().addHandler(handler)

    @env.task(executor=executor)
    def tell(word: str) -> int:
        import logging
        import sys

        print("printed", word, [word], "https://h/?sig=mine")
        print("said", word, file=sys.stderr)
        logging.getLogger("app").warning("logged %s", word)
        try:
            raise ValueError(word)
        except ValueError:
            logging.getLogger("app").exception("failed with %r", word)
        return 1

    @env.pipeline()
    def report() -> int:
        return tell("telltale-of-prints")

    try:
        report.run(progress=False)
    finally:
        logging.getLogger().removeHandler(handler)
    out, err = capfd.readouterr()
    lines = [line.text for line in env.runs[0].logs()]
    for text in (out, err, records.getvalue(), *lines):
        assert "telltale" not in text
    assert "printed *** ['***'] https://h/?sig=mine" in out
    assert "printed *** ['***'] https://h/?sig=***" in lines
    assert "said ***" in err
    assert "logged ***" in records.getvalue()
    assert "ValueError: ***" in records.getvalue()


def test_outside_of_tasks_nothing_is_changed(env: GlacierEnv, capsys: pytest.CaptureFixture[str]) -> None:
    remember("telltale-of-others")

    @env.pipeline()
    def report() -> int:
        return 1

    report.run()
    print("telltale-of-others")
    print("telltale-of-others", file=sys.stderr)
    assert capsys.readouterr() == ("telltale-of-others\n", "telltale-of-others\n")


# --- what is kept and generated ------------------------------------------------------------------------------------


def test_neither_journal_nor_cache_keeps_one(env: GlacierEnv) -> None:
    @env.task(cache=True)
    def by_token(token: SecretStr, plain: str, extra: list[str]) -> pl.DataFrame:
        return pl.DataFrame({"a": [1]})

    @env.task()
    def link(frame: pl.DataFrame) -> str:
        return "https://h/?X-Amz-Signature=telltale-of-links"

    @env.pipeline()
    def report(token: SecretStr) -> str:
        return link(by_token(token, "telltale-of-arguments", ["telltale-of-lists"]))

    assert report.run(token=SecretStr("telltale-of-parameters")).endswith("telltale-of-links")
    data = written(home())
    assert b"by_token" in data
    for word in ("parameters", "arguments", "lists", "links"):
        for form in (f"telltale-of-{word}".encode(), f"telltale-of-{word}".encode().hex().encode()):
            assert form not in data
    assert [step.state for step in report.last_run.tasks] == ["done", "done"]


def test_a_value_with_a_secret_in_it_is_masked_and_generated_as_a_variable(tmp_path: Path) -> None:
    remember("telltale-of-values")
    env = GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1", account_id="123456789012")), name="prod")
    variables = {"GREETING": "hello telltale-of-values", "PLAIN": "hello"}
    config = LambdaConfig(environment_vars=variables)
    env.register("enrich", env.provider.serverless("enrich", handler="enrich.handler", config=config))
    shown = {row["setting"]: row["value"] for row in env.explain("enrich").plain()}
    assert shown["environment_vars.GREETING"] == MASK
    assert shown["environment_vars.PLAIN"] == "hello"
    env.export(output_dir=tmp_path / "infra")
    env.export_state(tmp_path / "state.json")
    assert b"telltale" not in written(tmp_path)
    assert b"var.enrich_greeting" in written(tmp_path / "infra")


def test_load_writes_defaults_as_the_source_has_them(env: GlacierEnv) -> None:
    word = "telltale-of-defaults"

    @env.task()
    def fetch(text: str = word, number: int = 2 * 9, *, other: object = [word], source: str = Inject("x")) -> str:
        return text

    lines = unfolded(fetch).splitlines()
    assert {"text = word", "number = 18", "other = [word]", "source = env.get('x')"} <= set(lines)
    assert "telltale" not in "\n".join(lines)


def test_names_of_secrets_are_one_rule() -> None:
    assert TaskConfig(tags={"token": "x"}).tags == {"token": "x"}
    assert redaction.names_secret("pwd")
    assert not redaction.names_secret("key")
