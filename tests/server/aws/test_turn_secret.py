"""Reading the TURN secret, against a real server that answers as Secrets Manager does."""

import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config

from robosignal.server.aws.turn_secret import KEPT_MS, PAUSE_MS, SecretsManager, StoredSecret

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:turn-AbCdEf"
NOW = 1_800_000_000_000


@dataclass
class Vault:
    """Secrets Manager. It answers every request so, and remembers what was asked."""

    status: int = 200
    answer: dict[str, Any] = field(default_factory=lambda: {"ARN": ARN, "SecretString": "north"})
    asked: list[tuple[str | None, dict[str, Any]]] = field(default_factory=list)
    """The action and the body of each request."""
    port: int = 0

    def refuse(self, code: str, status: int = 400) -> None:
        """Answer with this error from now on."""
        self.status, self.answer = status, {"__type": code, "message": "no"}

    def keep(self, **answer: object) -> None:
        """Answer with this from now on."""
        self.status, self.answer = 200, {"ARN": ARN, **answer}


def answering(vault: Vault) -> type[BaseHTTPRequestHandler]:
    """Return the handler of a server that is this vault."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            vault.asked.append((self.headers["X-Amz-Target"], json.loads(body)))
            answer = json.dumps(vault.answer).encode()
            self.send_response(vault.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Say nothing."""

    return Handler


@pytest.fixture
def vault() -> Iterator[Vault]:
    """A vault that listens."""
    opened = Vault()
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering(opened))
    server.block_on_close = True
    opened.port = server.server_port
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield opened
    server.shutdown()
    server.server_close()
    thread.join(5)


def client(port: int) -> SecretsManager:
    """Return AWS's own client for a port, with one try for each call."""
    made: SecretsManager = boto3.client(
        "secretsmanager",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=5),
    )
    return made


@pytest.fixture
def secret(vault: Vault) -> StoredSecret:
    """The secret in that vault."""
    return StoredSecret(ARN, lambda: client(vault.port))


def test_the_secret_is_read_by_its_arn(vault: Vault, secret: StoredSecret) -> None:
    """One call, of one action."""
    found = secret(NOW)

    assert found == "north"
    assert vault.asked == [("secretsmanager.GetSecretValue", {"SecretId": ARN})]


def test_no_client_is_made_before_the_secret_is_needed(vault: Vault) -> None:
    """And one for good then: making it takes longer than the call."""
    made: list[SecretsManager] = []

    def connect() -> SecretsManager:
        made.append(client(vault.port))
        return made[-1]

    secret = StoredSecret(ARN, connect)
    before = len(made)
    secret(NOW)
    secret(NOW + KEPT_MS)

    assert (before, len(made), len(vault.asked)) == (0, 1, 2)


def test_a_secret_is_kept_for_five_minutes(vault: Vault, secret: StoredSecret) -> None:
    """Until then a changed one is not noticed, and nothing is asked."""
    secret(NOW)
    vault.keep(SecretString="south")

    assert secret(NOW + 5 * 60_000 - 1) == "north"
    assert len(vault.asked) == 1
    assert secret(NOW + 5 * 60_000) == "south"
    assert secret(NOW + 5 * 60_000 + 1) == "south"
    assert len(vault.asked) == 2


def test_blanks_around_a_secret_are_no_part_of_it(vault: Vault, secret: StoredSecret) -> None:
    """A file that somebody stored may end with a new line; coturn's own copy has none."""
    vault.keep(SecretString=" north\r\n")

    assert secret(NOW) == "north"


def test_a_secret_that_cannot_be_read_again_serves_on(vault: Vault, secret: StoredSecret) -> None:
    """And the next one is taken as soon as it can be read."""
    secret(NOW)
    vault.refuse("InternalServiceError", 500)
    kept = secret(NOW + KEPT_MS)
    vault.keep(SecretString="south")

    assert kept == "north"
    assert secret(NOW + KEPT_MS + PAUSE_MS) == "south"


def test_after_a_failure_nothing_is_asked_for_ten_seconds(
    vault: Vault, secret: StoredSecret
) -> None:
    """Else every message would wait for the vault in turn."""
    vault.refuse("InternalServiceError", 500)

    assert [secret(NOW), secret(NOW + 9_999)] == [None, None]
    assert len(vault.asked) == 1
    vault.keep(SecretString="north")
    assert secret(NOW + 10_000) == "north"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", 400),
        ("ResourceNotFoundException", 400),
        ("DecryptionFailure", 400),
        ("ThrottlingException", 400),
        ("InternalServiceError", 500),
    ],
)
def test_a_refusal_is_logged_by_its_code(
    vault: Vault, secret: StoredSecret, caplog: pytest.LogCaptureFixture, code: str, status: int
) -> None:
    """The operator learns what to repair; callers go on without."""
    vault.refuse(code, status)

    assert secret(NOW) is None
    assert warnings(caplog) == [("TURN secret not read", code)]


@pytest.mark.parametrize(
    "kept", [{}, {"SecretString": ""}, {"SecretString": " \n"}, {"SecretBinary": "bm9ydGg="}]
)
def test_a_secret_without_text_is_none(
    vault: Vault, secret: StoredSecret, caplog: pytest.LogCaptureFixture, kept: dict[str, str]
) -> None:
    """An empty key would make passwords that anybody could make."""
    vault.keep(**kept)

    assert secret(NOW) is None
    assert warnings(caplog) == [("TURN secret not read", "ValueError")]


def test_a_vault_out_of_reach_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """No program listens there any more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert StoredSecret(ARN, lambda: client(port))(NOW) is None
    assert warnings(caplog) == [("TURN secret not read", "EndpointConnectionError")]


def test_no_log_holds_the_secret(
    vault: Vault, secret: StoredSecret, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether it is read or not."""
    with caplog.at_level(logging.DEBUG, "signaling"):
        secret(NOW)
        vault.refuse("AccessDeniedException")
        secret(NOW + KEPT_MS)

    ours = [str(record.__dict__) for record in caplog.records if record.name == "signaling"]
    assert len(ours) == 1
    assert "north" not in ours[0]


def warnings(caplog: pytest.LogCaptureFixture) -> list[tuple[str, object]]:
    """Return the sentence and the code of each warning of ours."""
    return [
        (record.getMessage(), record.__dict__["code"])
        for record in caplog.records
        if (record.name, record.levelname) == ("signaling", "WARNING")
    ]
