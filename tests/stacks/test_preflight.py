"""What is said before a deployment that would fail."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from stacks.context import BadSettings
from tools.preflight import main, read_arguments, settings_of

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/logs"


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of no account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


Answer = Callable[[int, dict[str, str]], None]


@pytest.fixture
def asked_by() -> list[str]:
    """Who asked the API Gateway: the `Authorization` of each request, which names the Region."""
    return []


@pytest.fixture
def api_gateway(monkeypatch: pytest.MonkeyPatch, asked_by: list[str]) -> Iterator[Answer]:
    """An API Gateway on this machine; called, it says what GetAccount shall answer."""
    answers: list[tuple[int, bytes]] = []

    class Account(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/account"
            asked_by.append(self.headers["Authorization"])
            status, body = answers[-1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Account)
    monkeypatch.setenv("AWS_ENDPOINT_URL_API_GATEWAY", f"http://127.0.0.1:{server.server_port}")
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield lambda status, body: answers.append((status, json.dumps(body).encode()))
    server.shutdown()
    serving.join()
    server.server_close()


def test_a_missing_role_is_explained_with_the_command_that_helps(
    api_gateway: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before CloudFormation fails on the access log, minutes later and less clearly."""
    api_gateway(200, {"apiKeyVersion": "4"})

    assert main(["-c", "STAGE=prod"]) == 1
    said = capsys.readouterr().err
    assert REGION in said
    assert 'make deploy STAGE=prod ARGS="-c cloudwatch_role=create"' in said


def test_an_account_with_the_role_may_deploy(
    api_gateway: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is said when nothing is wrong."""
    api_gateway(200, {"cloudwatchRoleArn": ROLE})

    assert main(["-c", "STAGE=dev"]) == 0
    assert capsys.readouterr().err == ""


def test_credentials_that_are_refused_are_told_in_a_sentence(
    api_gateway: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    """What AWS said is printed without a traceback."""
    api_gateway(403, {"message": "The security token included in the request is expired"})

    assert main([]) == 1
    assert "cannot ask AWS" in capsys.readouterr().err


def test_a_stack_that_makes_the_role_asks_nothing() -> None:
    """Wherever that is said: here on the command line."""
    assert main(["-c", "STAGE=dev", "-c", "cloudwatch_role=create"]) == 0


def test_bad_settings_are_told_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the same words as CDK's run would."""
    assert main(["-c", "memory_mb=1"]) == 1
    assert "memory_mb must be a whole number" in capsys.readouterr().err


def test_no_region_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing credentials are reported first."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    assert main([]) == 1
    assert "region" in capsys.readouterr().err


def test_the_files_settings_count_unless_the_command_line_says_otherwise() -> None:
    """As CDK reads both."""
    context = {"dev": {"cloudwatch_role": "create", "memory_mb": 1024}}

    arguments = ["-c", "STAGE=dev", "--context", "memory_mb=2048", "--verbose"]
    settings = settings_of(read_arguments(arguments).context, context)

    assert (settings.cloudwatch_role, settings.memory_mb) == ("create", 2048)


def test_unknown_settings_are_refused() -> None:
    """A misspelt one would deploy something else."""
    with pytest.raises(BadSettings, match="memory is no setting"):
        settings_of(["memory=1"], {})


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "cloudwatch_role=create"],
        ["-c=cloudwatch_role=create"],
        ["-ccloudwatch_role=create"],
        ["--context", "cloudwatch_role=create"],
        ["--context=cloudwatch_role=create"],
        ["--require-approval", "never", "--context=cloudwatch_role=create", "--verbose"],
    ],
)
def test_settings_are_read_in_every_spelling(arguments: list[str]) -> None:
    """CDK takes them all, so what it will deploy is what is judged: here nothing is asked."""
    assert main(["-c", "STAGE=dev", *arguments]) == 0


@pytest.mark.parametrize("arguments", [["--profile", "factory"], ["--profile=factory"]])
def test_the_account_of_the_profile_is_asked(
    arguments: list[str],
    api_gateway: Answer,
    asked_by: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With its credentials and its Region: there CDK deploys."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    configure(monkeypatch, tmp_path)
    api_gateway(200, {"cloudwatchRoleArn": ROLE})

    assert main(arguments) == 0
    assert [("AKFACTORY" in who, "us-west-2" in who) for who in asked_by] == [(True, True)]


@pytest.mark.parametrize("name", ["AWS_REGION", "AMAZON_REGION", "AMAZON_DEFAULT_REGION"])
def test_the_region_is_the_one_that_cdk_goes_by(
    name: str, api_gateway: Answer, asked_by: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of these variables say nothing to the SDK, and CDK deploys by them."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv(name, "ap-south-1")
    api_gateway(200, {"cloudwatchRoleArn": ROLE})

    assert main([]) == 0
    assert ["ap-south-1" in who for who in asked_by] == [True]


def test_a_profile_that_is_not_configured_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its name."""
    configure(monkeypatch, tmp_path)

    assert main(["--profile=elsewhere"]) == 1
    assert "elsewhere" in capsys.readouterr().err


def configure(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Have one profile, `factory`, and no credentials besides."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = directory / "config"
    file.write_text(
        "[profile factory]\nregion = us-west-2\n"
        "aws_access_key_id = AKFACTORY\naws_secret_access_key = testing\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
