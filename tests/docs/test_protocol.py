"""The protocol's page says what the code does: every word, number and example is checked."""

import json
import re
from typing import Any

import msgspec
import pytest

from robosignal.protocol import errors, frames, limits, seed
from robosignal.protocol.messages import ALIASES, MESSAGES
from robosignal.protocol.parsing import parse
from robosignal.robot import drive
from robosignal.server import entry
from robosignal.server.limits import limiter
from tests.docs.pages import code, examples, kinds, page, rows

PAGE = page("docs/reference/protocol.md")
CLIENT, SERVER, SEED = (examples(PAGE, f"json {kind}") for kind in ("client", "server", "seed"))

SPELLINGS = {"sdp", "candidate", "from"}
"""Top-level fields of messages that are folded into others."""

LIMITS = {**vars(drive), **vars(entry), **vars(limiter), **vars(limits)}


def leaves(kind: type[Any]) -> list[type[Any]]:
    """Return the classes below this one that have none below them."""
    below = kind.__subclasses__()
    return [leaf for each in below for leaf in leaves(each)] if below else [kind]


def tag(kind: type[Any]) -> str:
    """Return a frame's type on the wire."""
    return str(kind.__struct_config__.tag)


FRAMES = {tag(kind): kind for kind in leaves(frames.Frame)}
ERRORS = {kind.code: kind for kind in leaves(errors.SignalingError)}
ROWS = list(rows(PAGE))
ERROR_ROWS = list(rows(page("docs/reference/errors.md")))
QUOTED = [cells for cells in ROWS if len(cells) == 3 and re.fullmatch(r"`[A-Z_]+`", cells[2])]


def name(example: dict[str, Any]) -> str:
    """Return what a test's name calls an example."""
    return str(example.get("type", "no type"))


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_message_has_an_example(kind: str) -> None:
    """A message type that the server knows is shown."""
    shown = {ALIASES.get(name(each).lower(), name(each).lower()) for each in CLIENT}

    assert kind in shown


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_has_an_example(kind: str) -> None:
    """A frame that a client may be sent is shown."""
    assert kind in {name(each) for each in SERVER}


def test_every_example_has_a_reader() -> None:
    """No example is in a block that no test looks at."""
    read = {"client", "server", "seed", "gateway"}

    assert kinds(PAGE) == {f"json {kind}" for kind in read}


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_is_explained_with_its_status(code: str) -> None:
    """An error has one row: its code, its status, when, and what to do."""
    said = [cells[1] for cells in ERROR_ROWS if cells[0] == f"`{code}`" and len(cells) == 4]

    assert said == [str(ERRORS[code].status)]


def test_no_error_is_made_up() -> None:
    """Every row of the table of errors has a code of the protocol's."""
    said = {cells[0].strip("`") for cells in ERROR_ROWS if len(cells) == 4}

    assert said == set(ERRORS)


@pytest.mark.parametrize("example", CLIENT, ids=name)
def test_a_message_that_is_shown_is_accepted(example: dict[str, Any]) -> None:
    """It parses, and has no field that the server would ignore."""
    message = parse(json.dumps(example))

    fields = {field.encode_name for field in msgspec.structs.fields(message)}
    assert set(example) - SPELLINGS <= fields | {"type"}


@pytest.mark.parametrize("example", SERVER, ids=name)
def test_a_frame_that_is_shown_is_one_that_is_sent(example: dict[str, Any]) -> None:
    """It decodes into its frame, and the frame encodes to what the page says."""
    frame = msgspec.convert(example, FRAMES[example["type"]])

    assert json.loads(msgspec.json.encode(frame)) == example


@pytest.mark.parametrize("example", SEED, ids=name)
def test_a_seed_frame_that_is_shown_is_one_that_is_sent(example: dict[str, Any]) -> None:
    """The same in the seed dialect."""
    kinds: dict[str, type[msgspec.Struct]] = {
        "error": seed.SeedError,
        "session-locked": seed.SessionLocked,
        "ping": seed.PageKeepalive,
    }
    keeps = "from" not in example and example["type"] == "candidate"
    kind = seed.RobotKeepalive if keeps else kinds.get(example["type"], seed.SeedRelay)
    frame = msgspec.convert(example, kind)

    assert json.loads(msgspec.json.encode(frame)) == example


@pytest.mark.parametrize("cells", QUOTED, ids=lambda cells: cells[2].strip("`"))
def test_a_limit_that_is_quoted_is_the_codes(cells: list[str]) -> None:
    """The first number in the row is the constant's value."""
    (number,) = re.findall(r"\d+", cells[1])[:1]

    assert int(number) == LIMITS[cells[2].strip("`")]


def test_every_limit_on_what_is_sent_is_quoted() -> None:
    """No limit in bytes, and none in seconds that a client lives by, is left out."""
    ours = {name for name in vars(limits) if name.endswith(("_BYTES", "_SECONDS", "_CHARACTERS"))}

    # How long the server keeps an item concerns only the server.
    assert ours - {cells[2].strip("`") for cells in QUOTED} == {"ROW_SECONDS"}


@pytest.mark.parametrize("field", ["viewers", "sdpBytes", "frameBytes", "messageBytes"])
def test_the_welcome_that_is_shown_has_the_real_limits(field: str) -> None:
    """Its example quotes the same numbers as the table."""
    (welcome,) = (each for each in SERVER if each["type"] == "welcome")
    constant = re.sub(r"([A-Z])", r"_\1", field).upper()

    assert welcome["limits"][field] == LIMITS[constant]


def test_nothing_that_is_planned_is_promised() -> None:
    """What looks like a message's name in the prose is one that the server knows."""
    planned = {"watch", "unwatch", "share", "unshare", "transfer", "forget", "request-control"}

    assert not planned & set(code(PAGE)) - set(MESSAGES)
