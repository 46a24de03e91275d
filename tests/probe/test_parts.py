"""The probe's pure parts: hints about tokens, percentiles, the report, the arguments."""

import io
import socket
from argparse import ArgumentParser, Namespace
from typing import Any

import pytest

from robosignal.cli.arguments import Refused
from robosignal.cli.progress import Progress
from robosignal.probe.advice import explain_token
from robosignal.probe.command import add_arguments, run, show_rounds
from robosignal.probe.connection import resolve
from robosignal.probe.report import Failure, Report, format_text, redact_url
from robosignal.probe.steps import STEPS, percentile
from tests.tokens import ABSENT, ISSUER, NOW_S, signer


def told(**changes: Any) -> str:
    """Return the hints about an access token with these changes, as one text."""
    return "\n".join(explain_token(signer().access(**changes), NOW_S))


def test_a_good_token_gets_its_issuer_and_audience_shown() -> None:
    """So that they can be compared with the deployment's."""
    found = told()

    assert f"the token's is {ISSUER}," in found
    assert "`client_id` is 4h57k1s2example," in found
    assert "expiry" not in found


def test_an_id_tokens_audience_is_in_another_claim() -> None:
    """Cognito's ID tokens have `aud`."""
    found = "\n".join(explain_token(signer().id(), NOW_S))

    assert "`aud` is 4h57k1s2example," in found


@pytest.mark.parametrize(
    ("ago_s", "words"),
    [(5, "5 s"), (119, "119 s"), (600, "10 min"), (7200, "2 h"), (3 * 86400, "3 days")],
)
def test_an_expired_token_is_told_first(ago_s: int, words: str) -> None:
    """It is what happens most."""
    first = explain_token(signer().access(exp=NOW_S - ago_s), NOW_S)[0]

    assert first == f"the token's expiry: it ended {words} ago, so get a new one"


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"exp": ABSENT}, "the claim `exp` is missing"),
        ({"exp": "soon"}, "the claim `exp` is missing or no whole number"),
        ({"iat": NOW_S + 300}, "issued 5 min from now"),
        ({"token_use": "refresh"}, "must be access or id, and this says refresh"),
        ({"token_use": ABSENT}, "this says missing"),
        ({"iss": ABSENT}, "the token's is missing"),
        ({"client_id": ABSENT}, "`client_id` is missing"),
        ({"iss": "a\nb\x1b[2J"}, "the token's is ab[2J,"),
    ],
)
def test_what_is_wrong_with_a_token_is_told(changes: dict[str, Any], hint: str) -> None:
    """Each of the claims that the deployment judges, on one line, and fit for a terminal."""
    assert hint in told(**changes)


@pytest.mark.parametrize("text", ["", "abc", "a.b.c", "Bearer x.y.z", "é"])
def test_what_is_no_token_is_told(text: str) -> None:
    """A shell's quotes, or half a line copied."""
    assert explain_token(text, NOW_S) == [
        "the token: this one is no JWT; pass it whole, without quotes or `Bearer`"
    ]


def test_a_percentile_is_a_time_that_was_measured() -> None:
    """The smallest that so large a part does not exceed; of one, it is that one."""
    times = [float(number) for number in range(20, 0, -1)]

    assert (percentile(times, 0.5), percentile(times, 0.95)) == (10, 19)
    assert (percentile([7.0], 0.5), percentile([7.0], 0.95)) == (7, 7)


def test_a_report_is_a_table_and_says_what_to_check() -> None:
    """Steps with their times; then where it ended."""
    failure = Failure("offer", "client", 2, "robot_offline: gone", ["the stage", "the log"])
    times: dict[str, list[float]] = {step: [] for step in STEPS}
    times |= {"resolve": [1.0, 3.0], "connect": [20.25]}
    report = Report("wss://api.example/prod", 1, times, failure, None)

    assert format_text(report).splitlines() == [
        "wss://api.example/prod: 1 round went through",
        "",
        "step       from, to                                          n    p50 ms    p95 ms",
        "resolve    the host's name to its addresses                  2       1.0       3.0",
        "connect    TCP, TLS and the handshake, $connect included     1      20.2      20.2",
        "",
        "failed at offer, of the client, in round 2: robot_offline: gone",
        "check next:",
        "  - the stage",
        "  - the log",
    ]


def test_a_shown_url_holds_no_secret() -> None:
    """User, query and fragment are left out."""
    assert (
        redact_url("wss://me:pw@api.example:8443/prod?token=t#x") == "wss://api.example:8443/prod"
    )


async def test_a_proxys_name_is_resolved_in_place_of_the_hosts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Behind a proxy this machine need not know the host at all."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    monkeypatch.setenv("no_proxy", "")
    found = await resolve("wss://only-the-proxy-knows.invalid/prod", 5)

    assert found == ["127.0.0.1"]


async def test_a_host_on_this_machine_is_reached_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The system's proxy would look for the gateway on itself."""
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")

    assert await resolve("ws://127.0.0.1:8080/prod", 5) == ["127.0.0.1"]
    assert "127.0.0.1" in await resolve("ws://localhost:8080/prod", 5)


def parsed(*arguments: str) -> Namespace:
    """Return the arguments as the command line reads them."""
    parser = ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def no_tokens(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without tokens."""
    monkeypatch.delenv("ROBOSIGNAL_TOKEN", raising=False)
    monkeypatch.delenv("ROBOSIGNAL_TOKEN_ROBOT", raising=False)
    return monkeypatch


@pytest.mark.usefixtures("no_tokens")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["ws://127.0.0.1:1/prod"], "no token: give --token, or set ROBOSIGNAL_TOKEN"),
        (["ws://127.0.0.1:1/prod", "--token", "Bearer t"], "characters that no token has"),
        (["ws://127.0.0.1:1/prod", "--token", "t\r\nX: y"], "characters that no token has"),
        (["ws://127.0.0.1:1/prod", "--token", "t", "--token-robot", "a,b"], "no token has"),
    ],
)
def test_a_probe_that_cannot_start_says_why(arguments: list[str], why: str) -> None:
    """In one sentence, before anything is dialled."""
    with pytest.raises(Refused, match=why):
        run(parsed(*arguments))


@pytest.mark.parametrize("wrong", [["--count", "0"], ["--count", "x"], ["--timeout", "0"]])
def test_nonsense_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """At least one round, and some time for each answer."""
    with pytest.raises(SystemExit) as ended:
        parsed("ws://127.0.0.1:1/prod", *wrong)

    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_failed_probe_is_exit_code_1_and_tokens_may_come_from_the_environment(
    no_tokens: pytest.MonkeyPatch,
) -> None:
    """Others on the machine can read arguments, and not the environment."""
    no_tokens.setenv("ROBOSIGNAL_TOKEN", "t")
    said: list[str] = []
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{reserved.getsockname()[1]}/prod"
        code = run(parsed(url), said.append)

    assert code == 1
    assert "failed at connect" in said[0]


class Terminal(io.StringIO):
    """A stream that is one."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_progress_is_one_line_on_a_terminal() -> None:
    """It is written over, and taken away at the end."""
    terminal = Terminal()
    progress = Progress(terminal)
    show_rounds(progress, 3)(2, "offer")
    progress.close()

    assert terminal.getvalue() == "\rround 2 of 3: offer\x1b[K\r\x1b[K"


def test_progress_is_nothing_elsewhere() -> None:
    """A log wants no such lines."""
    log = io.StringIO()
    progress = Progress(log)
    show_rounds(progress, 3)(1, "offer")
    progress.close()

    assert log.getvalue() == ""
