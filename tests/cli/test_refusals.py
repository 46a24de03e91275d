"""What a person reads who asks a command for what it cannot do: one sentence, no traceback."""

import socket
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from robosignal.cli.main import main
from robosignal.gateway.store import LocalStore
from robosignal.gateway.tls import TlsFiles
from tests.gateway.certificates import START, write

Refusal = Callable[..., str]

NAME = x509.DNSName("drive.example.com")
LATER = START + timedelta(days=10)

ROBOT = ("robot", "--url", "ws://127.0.0.1:1/prod", "--robot-id", "r1")
ISSUER = ("serve", "--port", "0", "--state", ":memory:", "--issuer", "https://i.example")


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Refusal:
    """What `robosignal ARGUMENTS` prints as it ends, which must be one line of its own."""

    def run(*arguments: str) -> str:
        assert main(arguments) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        (line,) = printed.err.splitlines()
        return line.removeprefix("robosignal: ")

    return run


@pytest.fixture
def misuse(capsys: pytest.CaptureFixture[str]) -> Refusal:
    """The last line that `robosignal ARGUMENTS` prints when it cannot read them."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        return capsys.readouterr().err.splitlines()[-1].partition("error: ")[2]

    return run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["serve", "--port", "99999"], "argument --port: must be a whole number from 0 to 65535"),
        (["serve", "--host", "a..b"], "argument --host: must be an address or a name"),
        (["serve", "--state", ""], "argument --state: must not be empty"),
        (["serve", "--idle-timeout", "x"], "argument --idle-timeout: must be a number of seconds"),
        (["serve", "--max-lifetime", "0"], "argument --max-lifetime: must be a number of seconds"),
        (["serve", "--chaos", "x"], "argument --chaos: must be a whole number of at least 0"),
        ([*ISSUER, "--jwks", "http://i.example"], "argument --jwks: must be an https URL"),
        ([*ISSUER, "--audience", ""], "argument --audience: must not be empty"),
        (["token", "#ann"], "argument USER: must be 1 to 128 characters of printable ASCII"),
        (["token", "ann", "--ttl", "90000"], "argument --ttl: must be a whole number from 1 to 86"),
        (["token", "ann", "--ttl", "x"], "argument --ttl: must be a whole number from 1 to 86400"),
        ([*ROBOT, "--robot-id", "a b"], "argument --robot-id: must be 1 to 64 of the characters"),
        ([*ROBOT, "--instance", "a b"], "argument --instance: must be 1 to 64 of the characters"),
        ([*ROBOT, "--url", "http://a"], "argument --url: must be a WebSocket URL, such as ws://"),
        (
            [*ROBOT, "--watchdog-ms", "99"],
            "argument --watchdog-ms: must be a whole number from 100",
        ),
        ([*ROBOT, "--fresh-ms", "60001"], "argument --fresh-ms: must be a whole number from 100"),
        ([*ROBOT, "--limit-x", "1.1"], "argument --limit-x: must be a number from 0 to 1, not"),
        ([*ROBOT, "--limit-y", "-1"], "argument --limit-y: must be a number from 0 to 1, not"),
        ([*ROBOT, "--slew", "0"], "argument --slew: must be a number above 0, not '0'"),
        ([*ROBOT, "--fps", "61"], "argument --fps: must be a number from 0 to 60, not '61'"),
        (["probe", "a.example"], "argument URL: must be a WebSocket URL, such as ws://"),
        (["probe", "ws://a", "--timeout", "61"], "argument --timeout: must be a number of seconds"),
        (["probe", "ws://a", "--count", "1001"], "argument --count: must be a whole number from 1"),
        (["cost", "--robots", "9" * 400], "argument --robots: must be a whole number from 1 to"),
        (["cost", "--sessions", "x"], "argument --sessions: must be a number from 0 to 1e+09"),
    ],
)
def test_an_argument_that_cannot_be_read_is_named_with_its_limit(
    misuse: Refusal, arguments: list[str], told: str
) -> None:
    """Before anything is opened or dialled."""
    assert misuse(*arguments).startswith(told)


def test_an_issuer_needs_all_three_options(refusal: Refusal) -> None:
    """None of them means anything alone."""
    told = refusal(*ISSUER)

    assert told == "--issuer, --jwks and --audience go together: give all three, or none"


TLS = ("serve", "--port", "0", "--state", ":memory:")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tls-cert", "a.pem"], "--tls-cert and --tls-key go together: give both, or --tls for"),
        (["--tls-key", "a.pem"], "--tls-cert and --tls-key go together: give both, or --tls for"),
        (
            ["--tls", "--tls-cert", "a.pem", "--tls-key", "b.pem"],
            "--tls makes a certificate: leave it out with --tls-cert and --tls-key",
        ),
    ],
)
def test_a_certificate_and_its_key_go_together(
    refusal: Refusal, options: list[str], told: str
) -> None:
    """And take the place of one that is made."""
    assert refusal(*TLS, *options).startswith(told)


def _lose_key(files: TlsFiles) -> None:
    files.key.unlink()


def _swap(files: TlsFiles) -> None:
    swapped = files.certificate.read_bytes(), files.key.read_bytes()
    files.key.write_bytes(swapped[0])
    files.certificate.write_bytes(swapped[1])


def _exchange_key(files: TlsFiles) -> None:
    certificate = files.certificate.read_bytes()
    write(files.certificate.parent, NAME)
    files.certificate.write_bytes(certificate)


@pytest.mark.parametrize(
    ("given", "spoil", "told"),
    [
        ({}, None, "--tls-cert {cert}: names no host in subjectAltName, so browsers refuse it"),
        ({"lasts": timedelta(days=1)}, None, "--tls-cert {cert}: has expired on {ended}: renew it"),
        ({"start": LATER}, None, "--tls-cert {cert}: is valid only from {start} UTC"),
        (
            {"password": b"secret"},
            None,
            "--tls-key {key}: is encrypted: openssl pkey -in {key} decrypts it",
        ),
        ({}, _lose_key, "--tls-key {key}: No such file or directory"),
        ({}, _swap, "--tls-cert {cert}: must hold a certificate in PEM"),
        (
            {},
            _exchange_key,
            "--tls-key {key}: must be the key of the certificate in --tls-cert {cert}",
        ),
    ],
)
def test_a_certificate_that_cannot_be_served_is_named_by_its_option(
    refusal: Refusal,
    tmp_path: Path,
    given: dict[str, Any],
    spoil: Callable[[TlsFiles], None] | None,
    told: str,
) -> None:
    """With the file, and what is wrong with it."""
    has_names = bool(given) or spoil is not None
    files = write(tmp_path, *([NAME] if has_names else []), **given)
    if spoil is not None:
        spoil(files)

    said = refusal(*TLS, "--tls-cert", str(files.certificate), "--tls-key", str(files.key))

    assert said == told.format(
        cert=files.certificate,
        key=files.key,
        ended=f"{START + timedelta(days=1):%Y-%m-%d}",
        start=f"{LATER:%Y-%m-%d %H:%M}",
    )


def test_a_certificate_that_is_missing_and_a_key_that_is_none_are_named(
    refusal: Refusal, tmp_path: Path
) -> None:
    """Each by its own option."""
    files = write(tmp_path, NAME)
    files.key.write_bytes(files.certificate.read_bytes())
    key = str(files.key)

    said = refusal(*TLS, "--tls-cert", str(files.certificate), "--tls-key", key)
    assert said == f"--tls-key {key}: must hold a private key in PEM"
    said = refusal(*TLS, "--tls-cert", str(tmp_path / "none.pem"), "--tls-key", key)
    assert said == f"--tls-cert {tmp_path}/none.pem: No such file or directory"


def test_a_wrong_variable_is_named(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it may be."""
    monkeypatch.setenv("LIMITS", "maybe")

    told = refusal("serve", "--port", "0", "--state", ":memory:")
    assert told == "in the environment, LIMITS must be on or off"


@pytest.mark.parametrize(
    ("level", "way_out"),
    [("", "choose another with --port {}"), ("1", 'try make run ARGS="--port {}"')],
)
def test_a_taken_port_is_told_with_what_to_type(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch, level: str, way_out: str
) -> None:
    """Only a user of `make run` is told its arguments."""
    monkeypatch.setenv("MAKELEVEL", level)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refusal("serve", "--port", str(port), "--state", ":memory:")

    sentence = f"port {port} of 127.0.0.1 is taken by another program: stop it, or "
    assert told == sentence + way_out.format(port + 1)


def test_the_last_port_has_none_after_it(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any free one is proposed instead."""
    monkeypatch.setenv("MAKELEVEL", "")
    with ExitStack() as taken:
        with suppress(OSError):  # another program has it, which is as good
            taken.enter_context(socket.create_server(("127.0.0.1", 65535)))
        told = refusal("serve", "--port", "65535", "--state", ":memory:")

    assert told.endswith("choose another with --port 0")


def test_an_address_that_is_not_this_machines_is_named(refusal: Refusal) -> None:
    """RFC 5737's addresses belong to no machine."""
    told = refusal("serve", "--host", "192.0.2.1", "--port", "0", "--state", ":memory:")

    assert told.startswith("cannot listen on 192.0.2.1:0 (")
    assert "with --host, or another port with --port" in told


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["token", "ann"]])
def test_a_state_that_is_a_file_is_named(
    refusal: Refusal, tmp_path: Path, command: list[str]
) -> None:
    """It is left alone."""
    path = tmp_path / "state"
    path.write_text("mine")

    told = refusal(*command, "--state", str(path))
    assert told == (
        f"the state {path} cannot be used (it is not a directory): move it away, "
        "or give another directory with --state"
    )
    assert path.read_text() == "mine"


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["token", "ann"]])
def test_a_state_that_cannot_be_made_is_named(refusal: Refusal, command: list[str]) -> None:
    """With the system's reason."""
    told = refusal(*command, "--state", "/proc/robosignal")

    assert told.startswith("the state /proc/robosignal cannot be used (")
    assert told.endswith("or give another directory with --state")


def test_a_damaged_file_is_named_with_what_to_do(refusal: Refusal, tmp_path: Path) -> None:
    """It is left alone: a part of it may be worth saving."""
    path = tmp_path / "robots.sqlite3"
    path.write_bytes(b"no database" * 100)

    told = refusal("serve", "--port", "0", "--state", str(tmp_path))
    assert told == (
        f"the state {path} cannot be used (file is not a database): restore it from a copy, "
        "move it away to start without robots, or give another directory with --state"
    )
    assert path.read_bytes() == b"no database" * 100


@pytest.mark.parametrize("item", ["{", "[]", '{"epoch": "high"}', '{"operators": 5}'])
def test_a_damaged_robot_is_no_traceback(refusal: Refusal, tmp_path: Path, item: str) -> None:
    """The database may be whole, and what it holds not."""
    LocalStore(tmp_path).close()
    path = tmp_path / "robots.sqlite3"
    with closing(sqlite3.connect(path)) as disk, disk:
        disk.execute("INSERT INTO robots VALUES ('r1', ?)", (item,))

    told = refusal("serve", "--port", "0", "--state", str(tmp_path))
    assert told.startswith(f"the state {path} cannot be used (")
    assert "move it away to start without robots" in told


def test_a_file_that_cannot_be_opened_is_named(refusal: Refusal, tmp_path: Path) -> None:
    """Nothing says that it is damaged, so the error does not say to move it away."""
    path = tmp_path / "robots.sqlite3"
    path.mkdir()

    told = refusal("serve", "--port", "0", "--state", str(tmp_path))
    assert told.startswith(f"the state {path} cannot be used (unable to open database file): fix")


def test_a_refused_state_is_let_go(refusal: Refusal, tmp_path: Path) -> None:
    """Once the file is moved away, the same process can use the directory."""
    path = tmp_path / "robots.sqlite3"
    path.write_bytes(b"no database" * 100)
    refusal("serve", "--port", "0", "--state", str(tmp_path))
    path.rename(tmp_path / "saved")

    store = LocalStore(tmp_path)
    assert store.robots([]) == []
    store.close()


def test_a_token_for_a_gateway_in_memory_is_refused(
    refusal: Refusal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key is nowhere, so no other command could sign with it."""
    monkeypatch.chdir(tmp_path)

    assert refusal("token", "ann", "--state", ":memory:").startswith(
        "--state :memory: keeps no key"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [ROBOT, ("probe", "ws://127.0.0.1:1/prod")])
def test_a_missing_token_is_told_with_where_to_get_one(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Robot and probe say it alike."""
    monkeypatch.delenv("ROBOSIGNAL_TOKEN", raising=False)
    monkeypatch.setenv("ROBOSIGNAL_ROBOT_FILE", "none-there.json")

    assert (
        "no token: give --token, or set ROBOSIGNAL_TOKEN (robosignal token USER prints one)"
    ) in refusal(*command)


@pytest.mark.parametrize("command", [ROBOT, ("probe", "ws://127.0.0.1:1/prod")])
def test_what_is_no_token_is_refused_before_anything_is_dialled(
    refusal: Refusal, command: tuple[str, ...]
) -> None:
    """A robot would dial for ever with it."""
    told = refusal(*command, "--token", "Bearer t")

    assert told == "--token holds characters that no token has: pass the whole token, unquoted"


def test_a_price_file_that_cannot_be_used_is_named(refusal: Refusal, tmp_path: Path) -> None:
    """With its option and what is wrong."""
    path = tmp_path / "prices.json"
    path.write_text("{")

    told = refusal("cost", "--robots", "1", "--sessions", "1", "--region-prices", str(path))
    assert told.startswith(f"--region-prices {path}: ")


def test_the_demo_cannot_stand_beside_its_own_name(refusal: Refusal) -> None:
    """Two issuers of one name could not be told apart."""
    keys = ("--jwks", "https://i.example/jwks", "--audience", "a")

    told = refusal("serve", "--demo", "--issuer", "robosignal-local", *keys)

    assert told.startswith("--demo signs users in as robosignal-local itself")
