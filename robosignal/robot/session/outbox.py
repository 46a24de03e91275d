"""Frames about sessions on their way to the server: kept until they may go, and until answered.

Knows ids and order; never what a frame says, or which socket it takes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from robosignal.robot.session.events import Action, Send

KEPT = 64
"""Of those that wait, and of those that are unanswered, as many are kept; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One frame. `again` once it has been sent back: it is sent twice at most.

    `asked` is how many `register`s had been sent when it was.
    """

    id: str
    frame: dict[str, Any]
    again: bool = False
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Outbox:
    """What waits for a registration, and what was sent and has no reply.

    Ids are counted here, since a client's `pcId` could be made to look like another's reply.
    """

    count: int = 0
    waiting: tuple[Letter, ...] = ()
    sent: tuple[Letter, ...] = ()


Changed = tuple[Outbox, list[Action]]


def posted(seen: Outbox, frame: dict[str, Any], *, registered: bool, asked: int = 0) -> Changed:
    """Send a frame, or keep it: what a robot sends before it is registered is refused.

    `asked` counts the `register`s so far.
    """
    letter = Letter(f"s{seen.count + 1}", frame)
    waits = replace(seen, count=seen.count + 1, waiting=(*seen.waiting, letter)[-KEPT:])
    return flushed(waits, lambda _: True, asked) if registered else (waits, [])


def flushed(seen: Outbox, useful: Callable[[dict[str, Any]], bool], asked: int = 0) -> Changed:
    """Send what waits, in order, but for what is of no use any more."""
    going = tuple(replace(one, asked=asked) for one in seen.waiting if useful(one.frame))
    sends: list[Action] = [Send({**letter.frame, "id": letter.id}) for letter in going]
    return replace(seen, waiting=(), sent=(*seen.sent, *going)[-KEPT:]), sends


def found(seen: Outbox, reply_to: str | None) -> Letter | None:
    """Return the unanswered letter that a reply is about."""
    return next((letter for letter in seen.sent if letter.id == reply_to), None)


def answered(seen: Outbox, reply_to: str | None) -> Outbox:
    """Return without the letter that has its reply."""
    return replace(seen, sent=tuple(one for one in seen.sent if one.id != reply_to))


def returned(seen: Outbox, letter: Letter) -> Outbox:
    """Return with a letter that came back among those that wait."""
    back = replace(answered(seen, letter.id), waiting=(*seen.waiting, replace(letter, again=True)))
    return replace(back, waiting=back.waiting[-KEPT:])
