"""Functions on AWS: called on Moto, which keeps them and runs nothing, and on a server that fails as Lambda would."""

import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from servers.moto import Moto
from servers.proxy import Proxy
from servers.scripted import Answer, Scripted

from glacier import GlacierEnv, Serverless
from glacier.config import AwsConfig, LambdaConfig
from glacier.errors import (
    AccessError,
    ConfigError,
    FormatError,
    FunctionError,
    GlacierError,
    InfrastructureError,
    ResourceNotFoundError,
)
from glacier.execution.retrying import worth_another
from glacier.providers import AWSProvider
from glacier.providers.aws import serverless

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCY"
LARGEST = 6 * 1024 * 1024
"""Bytes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[Moto, Proxy]]:
    with Moto() as server, Proxy(server) as proxy:
        server.make_function("cleaner")
        yield server, proxy


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with Scripted() as server:
        yield server


@pytest.fixture(autouse=True)
def _known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"[tests]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))


def provider(endpoint: str | None, **fields: Any) -> AWSProvider:
    return AWSProvider(config=AwsConfig(region="us-east-1", profile="tests", endpoint_url=endpoint, **fields))


def function(endpoint: str, name: str = "cleaner", **config: Any) -> Serverless:
    return provider(endpoint).serverless(name, "handlers.clean", config=LambdaConfig(**config))


# --- calls -----------------------------------------------------------------------------------------------------------


def test_a_task_calls_a_function_with_json_and_gets_json(moto: tuple[Moto, Proxy]) -> None:
    server, proxy = moto
    env = provider(proxy.endpoint).env("production")
    env.register("cleaner", env.provider.serverless("cleaner", "handlers.clean"))

    @env.task()
    def clean(cleaner: Serverless, rows: list[dict[str, Any]]) -> Any:
        return cleaner.invoke({"rows": rows})

    @env.pipeline()
    def cleaning() -> Any:
        return clean(rows=[{"name": "Zoë", "n": 1.5}])

    proxy.reset()
    server.answer([{"name": "Zoë"}])
    assert cleaning.run() == [{"name": "Zoë"}]
    (call,) = proxy.log
    assert (call.method, call.path) == ("POST", "/2015-03-31/functions/cleaner/invocations")
    assert call.sent.decode() == '{"rows": [{"name": "Zoë", "n": 1.5}]}'
    assert "AKIAIOSFODNN7EXAMPLE" in call.authorization
    assert "/us-east-1/lambda/" in call.authorization


@pytest.mark.parametrize("payload", [None, 0, "text", [1, None], {"a": {"b": ["c"]}}])
def test_what_goes_in_comes_out(moto: tuple[Moto, Proxy], payload: Any) -> None:
    assert function(moto[0].endpoint).invoke(payload) == payload


def test_calls_side_by_side_each_have_a_future(moto: tuple[Moto, Proxy]) -> None:
    fn = function(moto[0].endpoint)
    futures = [fn.invoke_async({"n": number}) for number in range(20)]
    assert [future.result(timeout=60) for future in futures] == [{"n": number} for number in range(20)]
    missing = function(moto[0].endpoint, "nobody").invoke_async()
    assert isinstance(missing.exception(timeout=60), ResourceNotFoundError)


def test_a_task_in_a_process_of_its_own_calls_it_too(moto: tuple[Moto, Proxy]) -> None:
    env = provider(moto[0].endpoint).env("production")
    env.register("cleaner", env.provider.serverless("cleaner", "handlers.clean"))

    @env.task(executor="process")
    def clean(cleaner: Serverless) -> Any:
        return cleaner.invoke({"n": 3})

    assert clean() == {"n": 3}


def test_the_role_of_the_config_is_assumed(moto: tuple[Moto, Proxy], monkeypatch: pytest.MonkeyPatch) -> None:
    _, proxy = moto
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    proxy.reset()
    role = provider(None, assume_role_arn="arn:aws:iam::123456789012:role/runner")
    assert role.serverless("cleaner", "handlers.clean").invoke({"n": 1}) == {"n": 1}
    services = [each.authorization.partition("Credential=")[2].split("/") for each in proxy.log]
    assert [(each[0][:4], each[3]) for each in services] == [("AKIA", "sts"), ("ASIA", "lambda")]


def test_who_has_no_credentials_is_told_so(moto: tuple[Moto, Proxy]) -> None:
    nobody = AWSProvider(config=AwsConfig(region="us-east-1", endpoint_url=moto[0].endpoint))
    with pytest.raises(AccessError, match="no credentials for aws"):
        nobody.serverless("cleaner", "handlers.clean").invoke()


def test_a_pickle_holds_no_credentials(moto: tuple[Moto, Proxy]) -> None:
    fn = function(moto[0].endpoint)
    fn.invoke()
    data = pickle.dumps(fn)
    assert SECRET.encode() not in data
    assert pickle.loads(data).invoke({"n": 1}) == {"n": 1}


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_payload_of_six_megabytes_goes_and_a_larger_one_is_refused_before_the_call(moto: tuple[Moto, Proxy]) -> None:
    server, proxy = moto
    fn = function(proxy.endpoint)
    proxy.reset()
    fits = "x" * (LARGEST - 2)
    server.answer("thank you")
    assert fn.invoke(fits) == "thank you"
    assert proxy.requests == 1
    with pytest.raises(ConfigError, match=r"'cleaner' has 6,291,457 bytes: Lambda takes 6,291,456") as caught:
        fn.invoke(fits + "x")
    assert "bucket" in str(caught.value.hint)
    assert proxy.requests == 1


def test_a_result_that_is_too_large_is_an_error_of_the_function(scripted: Scripted) -> None:
    said = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    error = failing(scripted, {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": said})
    assert error.hint == "let it write its result to a bucket, and return where it is"


@pytest.mark.parametrize("payload", [float("nan"), {"a": object()}, {1, 2}, "\ud800"])
def test_what_is_no_json_is_refused_before_the_call(scripted: Scripted, payload: Any) -> None:
    with pytest.raises(ConfigError, match="the payload of function 'cleaner' cannot be JSON"):
        function(scripted.endpoint).invoke(payload)
    assert scripted.asked == []


# --- errors of the function ------------------------------------------------------------------------------------------


def failing(server: Scripted, value: Any, kind: str = "Unhandled") -> FunctionError:
    """Call a function that fails as `value` says."""
    server.answer = Answer(200, value, {"X-Amz-Function-Error": kind})
    with pytest.raises(FunctionError) as caught:
        function(server.endpoint).invoke()
    assert len(server.asked) == 1
    return caught.value


TOLD = {
    "errorMessage": "no such customer, see https://host/x?signature=abc123",
    "errorType": "KeyError",
    "requestId": "8a8e5e1c-0000-0000-0000-000000000000",
    "stackTrace": ['  File "/var/task/handlers.py", line 3, in clean\n    return known[event["id"]]\n'],
}


def test_a_functions_own_error_tells_type_message_and_lines(scripted: Scripted) -> None:
    error = failing(scripted, TOLD)
    assert error.error_type == "KeyError"
    assert error.error_message == "no such customer, see https://host/x?signature=***"
    assert error.stack == ('  File "/var/task/handlers.py", line 3, in clean\n    return known[event["id"]]',)
    assert str(error).startswith("function 'cleaner' on aws failed: KeyError: no such customer")
    shown = "\n".join(error._render_traceback_())
    assert 'File "/var/task/handlers.py", line 3, in clean' in shown
    assert "abc123" not in shown
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"},
            "LambdaConfig(timeout",
        ),
        ({"errorType": "Runtime.OutOfMemory", "errorMessage": "signal: killed"}, "LambdaConfig(memory"),
        ({"errorType": "Runtime.ImportModuleError", "errorMessage": "No module named 'x'"}, "layers"),
        ({"errorMessage": None}, "Error"),
        (b"not JSON at all", "not JSON at all"),
        (["a list"], "a list"),
        ({"errorType": "Runtime.ExitError", "errorMessage": "exit status 1", "stackTrace": None}, "exit status 1"),
        ({"errorType": "TypeError", "trace": ["a", "b"], "errorMessage": "x"}, "TypeError: x"),
    ],
)
def test_whatever_a_runtime_tells_of_its_failure_is_said(scripted: Scripted, told: Any, said: str) -> None:
    assert said in str(failing(scripted, told))


@pytest.mark.parametrize(
    ("kind", "message", "retry_on", "again"),
    [
        ("ValueError", "no", None, False),
        ("KeyError", "no", None, False),
        ("RuntimeError", "the shop is closed", None, True),
        ("ShopIsClosed", "at night", None, True),
        ("ShopIsClosed", "at night", ("ShopIsClosed",), True),
        ("ShopIsClosed", "at night", ("TimeoutError",), False),
        ("ValueError", "no", ("glacier.errors.FunctionError",), True),
        ("TimeoutError", "", ("transient",), True),
        ("Sandbox.Timedout", "Task timed out after 3.00 seconds", ("transient",), True),
    ],
)
def test_a_task_is_tried_again_as_if_the_functions_error_were_its_own(
    kind: str, message: str, retry_on: Any, again: bool
) -> None:
    error = FunctionError(f"function 'f' on aws failed: {kind}: {message}", error_type=kind, error_message=message)
    assert worth_another(error, retry_on) is again


def test_a_result_that_is_no_json_is_said_to_be_none(scripted: Scripted) -> None:
    scripted.answer = Answer(200, b"<html>")
    with pytest.raises(FormatError, match="the result of function 'cleaner' on aws is no JSON"):
        function(scripted.endpoint).invoke()
    scripted.answer = Answer(200, b"")
    assert function(scripted.endpoint).invoke() is None


# --- errors of AWS ---------------------------------------------------------------------------------------------------

REFUSALS: list[tuple[int, str, type[GlacierError], str, bool]] = [
    (404, "ResourceNotFoundException", ResourceNotFoundError, "there is no such function", False),
    (403, "AccessDeniedException", AccessError, "the credentials do not suffice", False),
    (403, "UnrecognizedClientException", AccessError, "the credentials do not suffice", False),
    (403, "InvalidSignatureException", AccessError, "the credentials do not suffice", False),
    (403, "ExpiredTokenException", AccessError, "the credentials have expired", False),
    (502, "KMSAccessDeniedException", AccessError, "the key of its environment variables", False),
    (429, "TooManyRequestsException", InfrastructureError, "too many calls at once", True),
    (400, "ThrottlingException", InfrastructureError, "too many calls at once", True),
    (413, "RequestTooLargeException", ConfigError, "the payload is too large", False),
    (502, "ResourceNotReadyException", InfrastructureError, "it is not ready yet", True),
    (409, "ResourceConflictException", InfrastructureError, "it is not ready yet", False),
    (500, "ServiceException", InfrastructureError, "what AWS says", True),
    (502, "EC2UnexpectedException", InfrastructureError, "what AWS says", True),
    (400, "InvalidRequestContentException", InfrastructureError, "what AWS says", False),
    (403, "", AccessError, "the credentials do not suffice", False),
    (429, "", InfrastructureError, "too many calls at once", True),
]


@pytest.mark.parametrize(("status", "code", "kind", "words", "passes"), REFUSALS, ids=[each[1] for each in REFUSALS])
def test_errors_of_lambda_become_ours_and_nothing_is_sent_twice(
    scripted: Scripted, status: int, code: str, kind: type[GlacierError], words: str, passes: bool
) -> None:
    scripted.answer = Answer(status, {"Type": "User", "Message": "what AWS says"}, {"x-amzn-ErrorType": f"{code}:http"})
    with pytest.raises(kind, match=f"cannot call function 'cleaner' on aws: .*{words}") as caught:
        function(scripted.endpoint).invoke({"n": 1})
    assert type(caught.value) is kind
    assert caught.value.hint
    assert isinstance(caught.value.__cause__, ClientError)
    assert len(scripted.asked) == 1
    assert worth_another(caught.value) is passes


def test_an_answer_that_is_lost_is_not_asked_for_again(moto: tuple[Moto, Proxy]) -> None:
    _, proxy = moto
    proxy.inject("drop")
    proxy.reset()
    with pytest.raises(InfrastructureError, match="no whole answer, and it may have been done") as caught:
        function(proxy.endpoint).invoke({"n": 1})
    assert isinstance(caught.value.__cause__, BotoCoreError)
    assert proxy.requests == 1
    proxy.inject("truncate")
    with pytest.raises(InfrastructureError, match="no whole answer"):
        function(proxy.endpoint).invoke({"text": "x" * 1000})
    assert proxy.requests == 2
    proxy.heal()


def test_a_call_is_waited_for_longer_than_its_function_may_take(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serverless, "START", 1)
    scripted.answer = Answer(200, "done", seconds=1.3)
    assert function(scripted.endpoint, timeout=1).invoke() == "done"
    scripted.answer = Answer(200, "done", seconds=30)
    began = time.monotonic()
    with pytest.raises(InfrastructureError, match="no whole answer, and it may have been done"):
        function(scripted.endpoint, timeout=1).invoke()
    assert time.monotonic() - began >= 2
    assert len(scripted.asked) == 2


@pytest.mark.parametrize(("timeout", "seconds"), [(None, 930), (3, 33), (900, 930)])
def test_a_config_without_a_timeout_is_waited_for_as_long_as_any_function_may_take(
    scripted: Scripted, timeout: int | None, seconds: int
) -> None:
    fn = function(scripted.endpoint, timeout=timeout)
    fn.invoke()
    (client,) = fn.provider.functions._clients.values()
    settings = client.meta.config
    assert (settings.read_timeout, settings.retries["total_max_attempts"]) == (seconds, 1)
    assert settings.tcp_keepalive


def test_who_cannot_be_reached_is_said_to_be(scripted: Scripted) -> None:
    endpoint = scripted.endpoint
    scripted.stop()
    with pytest.raises(InfrastructureError, match="AWS cannot be reached") as caught:
        function(endpoint).invoke()
    assert worth_another(caught.value)


# --- looking ---------------------------------------------------------------------------------------------------------


def test_a_function_is_there_or_not_and_nothing_else_is_asked(moto: tuple[Moto, Proxy]) -> None:
    _, proxy = moto
    proxy.reset()
    assert function(proxy.endpoint).exists()
    assert not function(proxy.endpoint, "nobody").exists()
    assert [f"{each.method} {each.path}" for each in proxy.log] == [
        "GET /2019-09-30/functions/cleaner/concurrency",
        "GET /2019-09-30/functions/nobody/concurrency",
    ]


def test_who_may_not_look_is_not_told_that_nothing_is_there(scripted: Scripted) -> None:
    scripted.answer = Answer(403, {"Message": "no"}, {"x-amzn-ErrorType": "AccessDeniedException"})
    with pytest.raises(AccessError, match="cannot look for function 'cleaner' on aws"):
        function(scripted.endpoint).exists()


def test_the_latest_log_lines_of_all_instances_are_in_order_and_hide_secrets(moto: tuple[Moto, Proxy]) -> None:
    server, _ = moto
    client, group = server.client("logs"), "/aws/lambda/logging"
    client.create_log_group(logGroupName=group)
    now = int(time.time() * 1000) - 10_000
    for stream, times in (("2026/01/[$LATEST]a", (0, 2, 4)), ("2026/01/[$LATEST]b", (1, 3))):
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": now + each, "message": f"line {each} token=hush{each}\n"} for each in times]
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    lines = function(server.endpoint, "logging").logs()
    assert [line.partition(" ")[2] for line in lines] == [f"line {number} token=***" for number in range(5)]
    assert lines == sorted(lines)


def test_only_the_latest_thousand_lines_are_returned(moto: tuple[Moto, Proxy]) -> None:
    server, _ = moto
    client, group = server.client("logs"), "/aws/lambda/chatty"
    client.create_log_group(logGroupName=group)
    now = int(time.time() * 1000) - 10_000
    for stream in ("a", "b"):
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": now + number, "message": f"{stream}{number}"} for number in range(1500)]
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    lines = function(server.endpoint, "chatty").logs()
    assert len(lines) == 1000
    assert {line.rpartition(" ")[2] for line in lines} == {f"{stream}{n}" for stream in "ab" for n in range(1000, 1500)}


def test_empty_pages_of_a_log_are_turned_over(scripted: Scripted) -> None:
    class Client:
        """Gives an empty page before the one that has something, as CloudWatch Logs may."""

        def get_log_events(self, *, nextToken: str = "0", **asked: Any) -> dict[str, Any]:
            events = [{"timestamp": 1, "message": "found"}] if nextToken == "2" else []
            return {"events": events, "nextBackwardToken": str(min(int(nextToken) + 1, 3))}

    assert [each["message"] for each in serverless._last_page(Client(), logGroupName="g")] == ["found"]


def test_a_function_that_never_ran_has_no_log(moto: tuple[Moto, Proxy]) -> None:
    with pytest.raises(ResourceNotFoundError, match="it has no log: there is no such function, or it has never run"):
        function(moto[0].endpoint, "silent").logs()


def test_a_body_of_a_pipeline_records_calls_instead_of_making_them(scripted: Scripted) -> None:
    env = GlacierEnv(provider(scripted.endpoint), "production")
    cleaner = env.register("cleaner", env.provider.serverless("cleaner", "handlers.clean"))

    @env.pipeline()
    def calling() -> Any:
        return cleaner.invoke({"n": 1}) if cleaner.exists() else None

    calling.run(mode="analyze")
    assert scripted.asked == []
