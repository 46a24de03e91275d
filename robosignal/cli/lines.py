"""What a command is to do to many robots: the lines of `--file`, their progress and their end."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import msgspec

from robosignal.cli.arguments import Refused
from robosignal.cli.server import NotDone, Outcome

Reader = Callable[[str], str]
"""Returns the value of one cell. Raises ArgumentTypeError."""

Say = Callable[[str], object]

MOST_BYTES = 10_000_000
"""Of a file: some hundred thousand lines."""


def read_lines(path: str, columns: Mapping[str, Reader]) -> list[dict[str, str]]:
    """Return the values of each line of a file, by column; `-` is standard input.

    Cells are separated by commas. Empty lines count for nothing, nor do those that begin with #,
    nor a repeated one. Raise Refused, which names the line.
    """
    text = _read(path)
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            cells = _split(line, columns, f"{path}, line {number}")
            found[tuple(cells.values())] = cells
    if not found:
        raise Refused(f"{path} has no line: write {','.join(columns)} on each")
    return list(found.values())


def _read(path: str) -> str:
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(path).open("rb") as stream:
                raw = stream.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise Refused(f"{path} is longer than {MOST_BYTES} bytes: split it")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise Refused(f"{path} cannot be read ({(error.strerror or 'error').lower()})") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is no UTF-8 text: save it as such") from error


def _split(line: str, columns: Mapping[str, Reader], where: str) -> dict[str, str]:
    # A user id may have commas, and is in the last column.
    cells = [cell.strip() for cell in line.split(",", len(columns) - 1)]
    if len(cells) != len(columns):
        raise Refused(f"{where}: must be {','.join(columns)}")
    read: dict[str, str] = {}
    for (name, reader), cell in zip(columns.items(), cells, strict=True):
        try:
            read[name] = reader(cell)
        except argparse.ArgumentTypeError as error:
            raise Refused(f"{where}: {name} {error}") from None
    return read


def confirm(what: str, *, is_sure: bool, stdin: TextIO, stderr: TextIO) -> None:
    """Ask on the terminal whether to do this. Raise Refused if not, or if there is no terminal."""
    if is_sure:
        return
    if not stdin.isatty():
        raise Refused(f"{what}. Give --yes, as there is no terminal to ask on")
    stderr.write(f"{what}. Type yes to go on: ")
    stderr.flush()
    if stdin.readline().strip().lower() != "yes":
        raise Refused("nothing was done")


def name_robot(message: Mapping[str, Any]) -> str:
    """Return what a message is about, as its line has it."""
    names = ("userId", "group", "kid")
    parts = (message.get("robotId") or message.get("pattern"), *map(message.get, names))
    return ",".join(str(each) for each in parts if each is not None)


def format_json(outcome: Outcome) -> str:
    """Return what became of each message as one JSON object."""
    found = {
        "done": [_about(each.message) | _news(each.reply) for each in outcome.done],
        "refused": [
            _about(each.message) | {"code": each.code, "message": each.why}
            for each in outcome.refused
        ],
        "notSent": [_about(each) for each in outcome.not_sent],
        "repeated": outcome.repeated,
    }
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def _about(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "type"}


def _news(reply: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name not in ("type", "replyTo")}


def report(outcome: Outcome, describe: Callable[[Any], str], say: Say, *, as_json: bool) -> int:
    """Print what became of every message, and return 0, or 1 if one was refused.

    `describe` returns the line for one that is done and the only one. Raise Refused if the server
    could no longer be reached, or the only message was refused.
    """
    count = len(outcome.done) + len(outcome.refused) + len(outcome.not_sent)
    if as_json:
        say(format_json(outcome))
    elif count == 0:
        say("You own no robot, so there was nothing to do.")
    elif count > 1:
        say("\n".join(_summarize(outcome)))
    elif outcome.done:
        say(describe(outcome.done[0]))
    if outcome.broken is not None:
        raise outcome.broken
    if count == 1 and outcome.refused:
        raise Refused(_line(outcome.refused[0]))
    return 1 if outcome.refused else 0


def _summarize(outcome: Outcome) -> list[str]:
    lines = [_line(each) for each in outcome.refused]
    lines += [f"{name_robot(each)}: not sent" for each in outcome.not_sent]
    lines += [f"{each.message['robotId']}: {UNTOLD}" for each in outcome.done if _is_untold(each)]
    counts = [f"{len(outcome.done)} done", f"{len(outcome.refused)} refused"]
    counts += [f"{len(outcome.not_sent)} not sent"] if outcome.not_sent else []
    return [*lines, ", ".join(counts)]


def _line(refused: NotDone) -> str:
    return f"{name_robot(refused.message)}: {refused.code}: {refused.why}"


UNTOLD = "done, but the robot could not be told: it may obey its driver until their token ends"


def _is_untold(done: Any) -> bool:
    return done.reply.get("robotTold") is False


def tell_untold(done: Any, said: str) -> str:
    """Return what is said of a message that is done, and that the robot does not know, if so."""
    return f"{said}\n{done.message['robotId']}: {UNTOLD}" if _is_untold(done) else said
