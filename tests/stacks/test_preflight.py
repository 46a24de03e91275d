"""What is said before a deployment that would fail."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from stacks.context import BadSettings
from tools.preflight import main, settings_of

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/logs"


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of nobody."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


Answer = Callable[[int, dict[str, str]], None]


@pytest.fixture
def api_gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answer]:
    """An API Gateway on this machine; called, it says what GetAccount shall answer."""
    answers: list[tuple[int, bytes]] = []

    class Account(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/account"
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
    """No traceback stands between a person and what AWS said."""
    api_gateway(403, {"message": "The security token included in the request is expired"})

    assert main([]) == 1
    assert "cannot be asked" in capsys.readouterr().err


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
    """Whoever has configured nothing learns that first."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    assert main([]) == 1
    assert "region" in capsys.readouterr().err


def test_the_files_settings_count_unless_the_command_line_says_otherwise() -> None:
    """As CDK reads both."""
    context = {"dev": {"cloudwatch_role": "create", "memory_mb": 1024}}

    settings = settings_of(["-c", "STAGE=dev", "--context", "memory_mb=2048", "--verbose"], context)

    assert (settings.cloudwatch_role, settings.memory_mb) == ("create", 2048)


def test_unknown_settings_are_refused() -> None:
    """A misspelt one would deploy something else."""
    with pytest.raises(BadSettings, match="memory is no setting"):
        settings_of(["-c", "memory=1"], {})
