"""`robosignal serve`: the arguments, and one sentence for whatever keeps it from starting.

Owns what is asked of the backend on one machine; must never know how it is run.
"""

import argparse
import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from robosignal.cli import arguments
from robosignal.cli.arguments import Refused
from robosignal.protocol.limits import IDLE_SECONDS, LIFETIME_SECONDS

if TYPE_CHECKING:
    from robosignal.gateway.local import RemoteIssuer, Service


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which arguments `run` takes."""
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
        "--chaos",
        type=arguments.whole(0),
        metavar="SEED",
        help="let messages overlap, and pause up to 50 ms before each step, drawn from this seed",
    )
    add(
        "--unlimited",
        action="store_true",
        help="lift the limits on rates and on the connections of one user, for benchmarks",
    )


def run(asked: argparse.Namespace) -> int:
    """Serve until told to stop, and return the exit code. Raise Refused, whose text says why."""
    # Imported here: the other commands need neither the gateway nor its libraries.
    from robosignal.cli.service import serve  # noqa: PLC0415
    from robosignal.gateway.gateway import PortTaken  # noqa: PLC0415
    from robosignal.gateway.keys import KeyRefused  # noqa: PLC0415
    from robosignal.gateway.state import StateInUse, StateUnreadable  # noqa: PLC0415
    from robosignal.server.settings import BadEnvironment, read_options  # noqa: PLC0415

    service = _service(asked)
    try:
        return asyncio.run(serve(service, read_options(os.environ), print))
    except BadEnvironment as error:
        raise Refused(f"in the environment, {error}") from error
    except PortTaken as taken:
        raise Refused(f"{taken}: stop it, or {_with_another(taken.port)}") from taken
    except (KeyRefused, StateInUse, StateUnreadable) as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(
            f"cannot listen on {asked.host}:{asked.port} ({_reason(error)}): "
            "choose an address of this machine with --host, or another port with --port"
        ) from error


def _service(asked: argparse.Namespace) -> "Service":
    from robosignal.gateway.gateway import Limits  # noqa: PLC0415
    from robosignal.gateway.local import Service  # noqa: PLC0415

    return Service(
        host=asked.host,
        port=asked.port,
        state=None if asked.state == arguments.IN_MEMORY else Path(asked.state),
        demo=asked.demo,
        remote=_remote(asked),
        limits=Limits(idle_seconds=asked.idle_timeout, lifetime_seconds=asked.max_lifetime),
        seed_keepalive_seconds=asked.seed_keepalive,
        chaos_seed=asked.chaos,
        unlimited=asked.unlimited,
    )


def _remote(asked: argparse.Namespace) -> "RemoteIssuer | None":
    from robosignal.gateway.keys import LOCAL_ISSUER  # noqa: PLC0415
    from robosignal.gateway.local import RemoteIssuer  # noqa: PLC0415

    given = (asked.issuer, asked.jwks, asked.audience)
    if not any(given):
        return None
    if not all(given):
        raise Refused("--issuer, --jwks and --audience go together: give all three, or none")
    if asked.demo and asked.issuer == LOCAL_ISSUER:
        raise Refused(
            f"--demo signs people in as {LOCAL_ISSUER} itself: leave out --demo, or trust another "
            "--issuer"
        )
    return RemoteIssuer(asked.issuer, asked.jwks, frozenset(asked.audience))


def _with_another(port: int) -> str:
    """Return what to type for another port, to whoever typed `make` or the command itself."""
    option = f"--port {port + 1 if port < arguments.MOST_PORT else 0}"
    # make tells the programs that it runs how deep they are.
    by_make = os.environ.get("MAKELEVEL")
    return f'try make run ARGS="{option}"' if by_make else f"choose another with {option}"


def _reason(error: OSError) -> str:
    # asyncio puts sentences of its own in place of the system's; a resolver's codes are negative.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
