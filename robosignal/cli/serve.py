"""`robosignal serve`: runs the backend on this machine until it is told to stop."""

import argparse
import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from robosignal.cli import arguments
from robosignal.cli.arguments import Refused
from robosignal.cli.demo import ADMIN, ADMIN_GROUP, DEMO, Print, run_demo_robot
from robosignal.cli.qr import draw_qr
from robosignal.gateway.backend import Backend, BackendSettings, RemoteIssuer
from robosignal.gateway.gateway import PortTaken
from robosignal.gateway.history import DAYS, MEGABYTES, MOST_DAYS, MOST_MEGABYTES, Bounds
from robosignal.gateway.keys import LOCAL_ISSUER, KeyRefused
from robosignal.gateway.limits import Limits
from robosignal.gateway.names import is_loopback
from robosignal.gateway.sign_in import LINK_SECONDS
from robosignal.gateway.state import StateInUse, StateUnreadable
from robosignal.gateway.tls import TlsFiles, TlsRefused
from robosignal.protocol.limits import IDLE_SECONDS, LIFETIME_SECONDS
from robosignal.server.settings import BadEnvironment, Options, read_options

MINUTES = LINK_SECONDS // 60

OPEN_FILES = 4096
"""How many a full gateway may need: 1,000 connections, handshakes, and connections that close."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    add = parser.add_argument
    add(
        "--host",
        type=arguments.host,
        default="127.0.0.1",
        help="address to listen on; any but a loopback address can be reached from other machines"
        " (default: %(default)s)",
    )
    add(
        "--port",
        type=arguments.port,
        default=8080,
        help="port to listen on; 0 takes a free one (default: %(default)s)",
    )
    add(
        "--state",
        type=arguments.directory,
        default=arguments.STATE,
        metavar="DIR",
        help="directory of the state and the signing key; :memory: keeps nothing"
        " (default: %(default)s)",
    )
    add(
        "--tls",
        action="store_true",
        help="serve https and wss with a self-signed certificate, made and kept in the state"
        " directory",
    )
    add(
        "--tls-cert",
        type=arguments.path,
        metavar="FILE",
        help="serve https and wss with this certificate, in PEM, its chain after it; needs"
        " --tls-key",
    )
    add(
        "--tls-key",
        type=arguments.path,
        metavar="FILE",
        help="the private key of --tls-cert, in PEM, not encrypted",
    )
    add("--demo", action="store_true", help="run a demo robot and print the links to drive it")
    add(
        "--issuer",
        type=arguments.word,
        metavar="URL",
        help="trust the tokens of this issuer instead of the gateway's own; needs --jwks and"
        " --audience",
    )
    add("--jwks", type=arguments.jwks_url, metavar="URL", help="URL of the issuer's key set")
    add(
        "--audience",
        type=arguments.word,
        metavar="ID",
        action="append",
        help="client id whose tokens are accepted; repeat it for more",
    )
    add(
        "--idle-timeout",
        type=arguments.seconds(),
        default=IDLE_SECONDS,
        metavar="S",
        help="close a connection after so many seconds without a message (default: %(default)s)",
    )
    add(
        "--max-lifetime",
        type=arguments.seconds(),
        default=LIFETIME_SECONDS,
        metavar="S",
        help="close a connection after so many seconds in any case (default: %(default)s)",
    )
    add(
        "--seed-keepalive",
        type=arguments.seconds(),
        metavar="S",
        help="send seed connections a frame every so many seconds, so that they are never idle"
        " (default: off)",
    )
    add(
        "--history-days",
        type=arguments.whole(0, MOST_DAYS),
        default=DAYS,
        metavar="DAYS",
        help="how many days the history of drivers and viewers goes back, "
        f"0 to {MOST_DAYS}; 0 keeps none (default: %(default)s)",
    )
    add(
        "--history-mb",
        type=arguments.whole(1, MOST_MEGABYTES),
        default=MEGABYTES,
        metavar="MB",
        help="how many megabytes the history may take, "
        f"1 to {MOST_MEGABYTES}; the oldest part is deleted first (default: %(default)s)",
    )
    add(
        "--chaos",
        type=arguments.whole(0),
        metavar="SEED",
        help="let messages overlap, and pause up to 50 ms before each step, drawn from this seed",
    )
    add(
        "--public-url",
        type=arguments.websocket_url,
        action="append",
        default=[],
        metavar="URL",
        help="an address under which robots reach this gateway, such as one of a proxy;"
        " a robot's own key signs the address that it connects to; may be repeated",
    )
    add(
        "--unlimited",
        action="store_true",
        help="lift the limits on rates and on the connections of one user, for benchmarks",
    )


def run(asked: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM, and return 0. Raise Refused if the backend cannot start."""
    settings = _read_settings(asked)
    try:
        asyncio.run(serve(settings, read_options(os.environ), print, draws_qr=sys.stdout.isatty()))
    except BadEnvironment as error:
        raise Refused(f"in the environment, {error}") from error
    except PortTaken as taken:
        raise Refused(f"{taken}: stop it, or {_suggest_port(taken.port)}") from taken
    except (KeyRefused, StateInUse, StateUnreadable, TlsRefused) as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(
            f"cannot listen on {asked.host}:{asked.port} ({_reason(error)}): "
            "choose an address of this machine with --host, or another port with --port"
        ) from error
    return 0


def _read_settings(asked: argparse.Namespace) -> BackendSettings:
    return BackendSettings(
        host=asked.host,
        port=asked.port,
        state=None if asked.state == arguments.IN_MEMORY else Path(asked.state),
        demo=asked.demo,
        remote=_read_issuer(asked),
        tls=_read_tls(asked),
        limits=Limits(idle_seconds=asked.idle_timeout, lifetime_seconds=asked.max_lifetime),
        seed_keepalive_seconds=asked.seed_keepalive,
        chaos_seed=asked.chaos,
        unlimited=asked.unlimited,
        public_urls=tuple(asked.public_url),
        history=Bounds(days=asked.history_days, megabytes=asked.history_mb),
    )


def _read_issuer(asked: argparse.Namespace) -> RemoteIssuer | None:
    given = (asked.issuer, asked.jwks, asked.audience)
    if not any(given):
        return None
    if not all(given):
        raise Refused("--issuer, --jwks and --audience go together: give all three, or none")
    if asked.demo and asked.issuer == LOCAL_ISSUER:
        raise Refused(
            f"--demo signs users in as {LOCAL_ISSUER} itself: leave out --demo, or trust another "
            "--issuer"
        )
    return RemoteIssuer(asked.issuer, asked.jwks, frozenset(asked.audience))


def _read_tls(asked: argparse.Namespace) -> TlsFiles | Literal["self-signed"] | None:
    given = (asked.tls_cert, asked.tls_key)
    if not any(given):
        return "self-signed" if asked.tls else None
    if not all(given):
        raise Refused(
            "--tls-cert and --tls-key go together: give both, or --tls for a certificate that"
            " robosignal makes"
        )
    if asked.tls:
        raise Refused("--tls makes a certificate: leave it out with --tls-cert and --tls-key")
    return TlsFiles(*given)


def _suggest_port(port: int) -> str:
    """Return what to type for another port, with `make` if that was typed."""
    option = f"--port {port + 1 if port < arguments.MOST_PORT else 0}"
    # make tells the programs that it runs how deep they are.
    by_make = os.environ.get("MAKELEVEL")
    return f'try make run ARGS="{option}"' if by_make else f"choose another with {option}"


def _reason(error: OSError) -> str:
    # asyncio replaces the system's sentence with its own; a resolver's codes are negative.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)


async def serve(
    settings: BackendSettings, options: Options, show: Print, *, draws_qr: bool = False
) -> None:
    """Serve until SIGINT or SIGTERM. `show` prints what a person needs to know.

    `draws_qr` says that `show` prints to a terminal: then addresses for phones are QR codes too.
    Raise PortTaken, StateInUse, StateUnreadable, KeyRefused or TlsRefused, whose text says what
    to do.
    """
    _raise_file_limit()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with _open(settings, options) as backend:
        show(welcome_text(backend, settings, show, draws_qr=draws_qr))
        if settings.demo:
            await run_demo_robot(backend, settings.state, stop, show)
        await stop.wait()
        show("stopping")


def _raise_file_limit() -> None:
    # A shell allows 256 or 1,024 open files, though the system would allow more.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _open(settings: BackendSettings, options: Options) -> Backend:
    """Return the backend, which does not listen yet: an OSError can only be about its state."""
    try:
        return Backend(settings, options)
    except OSError as error:
        if settings.state is None:
            raise
        raise StateUnreadable.from_os_error(settings.state, error) from error


def welcome_text(
    backend: Backend, settings: BackendSettings, show: Print, *, draws_qr: bool = False
) -> str:
    """Return where the backend is, and how to sign in.

    `show` prints later sign-in links, each of which replaces one that was used. With `draws_qr`,
    the link of the demo robot's owner, or else the console's address, is a QR code too, if another
    machine can open it.
    """
    gateway = backend.gateway
    lines = [
        f"robosignal is up at {gateway.url}",
        f"robots and browsers connect to {gateway.websocket_url}",
    ]
    lines += _certificate_lines(backend, settings)
    draws_qr = draws_qr and _is_for_phones(backend)
    if settings.demo:
        lines += ["", *_sign_in_lines(backend, settings, show, draws_qr=draws_qr), ""]
    else:
        if settings.remote is None:
            state = f" --state {settings.state}" if settings.state else ""
            lines.append(f"sign in with a token: robosignal token USER{state}")
        if draws_qr:
            lines.append(draw_qr(gateway.url))
    if not is_loopback(settings.host):
        lines.append(
            f"listening on {settings.host}: every machine that reaches this one can connect"
        )
    return "\n".join(lines)


def _certificate_lines(backend: Backend, settings: BackendSettings) -> list[str]:
    """Return what a person compares before they trust a self-signed certificate, and where it is.

    The file of one that is not kept is not named: the next start makes another.
    """
    tls = backend.gateway.tls
    if tls is None or not tls.is_self_signed:
        return []
    lines = [
        "browsers warn of its self-signed certificate, whose SHA-256 fingerprint is",
        f"  {tls.fingerprint}",
    ]
    if settings.state is not None:
        lines.append(
            f"robots trust it if SSL_CERT_FILE names a copy of {tls.files.certificate} there"
        )
    return lines


def _is_for_phones(backend: Backend) -> bool:
    """Return whether another machine can open the links, in a page that is secure there."""
    gateway = backend.gateway
    return gateway.tls is not None and not is_loopback(urlsplit(gateway.url).hostname or "")


def _sign_in_lines(
    backend: Backend, settings: BackendSettings, show: Print, *, draws_qr: bool
) -> list[str]:
    """Return the lines with links to sign in as users who may drive the demo robot."""
    owner = _sign_in_line(
        backend,
        "  demo, who owns the demo robot:  ",
        lambda: backend.key.sign(DEMO),
        show,
        draws_qr=draws_qr,
    )
    if settings.remote is not None:
        # No admin link: a local admin must not control the robots of the issuer's users.
        return [f"Open this link within {MINUTES} minutes. It signs in one window, once:", owner]
    admin = _sign_in_line(
        backend,
        "  admin, who may take it over:    ",
        lambda: backend.key.sign(ADMIN, [ADMIN_GROUP]),
        show,
    )
    return [
        f"Open one of these links within {MINUTES} minutes. Each signs in one window, once.",
        "For a takeover, open both, each in its own window:",
        owner,
        admin,
    ]


def _sign_in_line(
    backend: Backend,
    title: str,
    sign: Callable[[], str],
    show: Print,
    *,
    draws_qr: bool = False,
) -> str:
    """Return the line with a sign-in link; `show` prints the links that replace it."""

    def format_line(code: str) -> str:
        link = f"{backend.gateway.url}#code={code}"
        return f"{title}{link}" + (f"\n{draw_qr(link)}" if draws_qr else "")

    return format_line(
        backend.sign_ins.begin(sign, lambda code: show(f"the next link:\n{format_line(code)}"))
    )
