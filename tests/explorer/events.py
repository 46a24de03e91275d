"""The events of schedules: a message of one peer, or the opening or end of its connection.

Every message type of the protocol is here, from the peers that can make a difference with it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.explorer.cast import KEYS, NEXT_RUN, ROBOT, RUN, Cast

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that one peer does; `message` makes what it sends, None for a socket's end."""

    peer: str
    kind: str
    message: Callable[[Cast], Message] | None = None
    more: str = ""

    @property
    def name(self) -> str:
        """What schedules call it."""
        return f"{self.kind} {self.more} by {self.peer}".replace("  ", " ")

    def said(self, cast: Cast) -> Message:
        """Return the message."""
        found = self.message(cast) if self.message is not None else {}
        return {"type": self.kind, "id": "q", **found}

    def body(self, cast: Cast) -> str:
        """Return the message's text."""
        return json.dumps(self.said(cast))


def _about_robot(_: Cast) -> Message:
    return {"robotId": ROBOT}


def _with(user: str) -> Callable[[Cast], Message]:
    return lambda _: {"robotId": ROBOT, "userId": user}


def _sharing(**more: Any) -> Callable[[Cast], Message]:
    return lambda _: {"robotId": ROBOT, **more}


def _sharing_until(user: str, seconds: int) -> Callable[[Cast], Message]:
    return lambda cast: {
        "robotId": ROBOT,
        "userId": user,
        "until": cast.world.now + seconds * 1000,
    }


def _nothing(_: Cast) -> Message:
    return {}


def _offer(**more: Any) -> Callable[[Cast], Message]:
    return lambda _: {"robotId": ROBOT, "payload": {"sdp": "o"}, **more}


def _candidate(_: Cast) -> Message:
    return {"robotId": ROBOT, "payload": {"candidate": "c"}}


def _to(whose: str, **more: Any) -> Callable[[Cast], Message]:
    return lambda cast: {"sessionId": cast.session(whose), **more}


def _at(whose: str) -> Callable[[Cast], Message]:
    return lambda cast: {"robotId": ROBOT, "sessionId": cast.session(whose)}


def _registering(run: str) -> Callable[[Cast], Message]:
    return lambda _: {"robotId": ROBOT, "instanceId": run}


CLAIMING = [
    Event("robot", "register", _registering(RUN)),
    Event("robot2", "register", _registering(RUN), "again"),
    Event("robot2", "register", _registering(NEXT_RUN), "as next run"),
    Event("mallory", "register", _registering(NEXT_RUN), "a stranger's"),
    Event("robot", "unregister", _about_robot),
    Event("robot2", "unregister", _about_robot),
    Event("ann", "forget", _about_robot),
    Event("ann", "transfer", _with("olga"), "to olga"),
    Event("robot", "$disconnect"),
    Event("robot2", "$disconnect"),
]
"""What touches the registration."""

LEASING = [
    Event("ann", "offer", _offer()),
    Event("ann2", "offer", _offer()),
    Event("olga", "offer", _offer()),
    Event("seed", "offer", _offer()),
    Event("ann", "takeover", _about_robot),
    Event("ann2", "takeover", _about_robot),
    Event("boss", "takeover", _about_robot),
    Event("olga2", "takeover", _about_robot),
    Event("ann", "$disconnect"),
    Event("olga", "$disconnect"),
    Event("ann2", "$disconnect"),
    Event("seed", "$disconnect"),
    Event("ann2", "resume", _to("ann")),
    Event("olga2", "resume", _to("olga")),
    Event("ann", "grant-control", _at("olga"), "to olga"),
    Event("ann", "release-control", _about_robot),
    Event("ann", "unshare", _with("olga"), "olga"),
    Event("ann", "bye", _about_robot),
    Event("robot", "bye", _to("ann"), "to ann"),
    Event("olga", "request-control", _about_robot),
    Event("ann", "ping", _to("ann")),
]
"""What touches the lease."""

SHARING = [
    Event("ann", "share", _sharing(userId="olga", role="viewer"), "with olga as viewer"),
    Event("ann", "share", _sharing_until("olga", 40), "with olga for 40 s"),
    Event("ann", "share", _sharing(userId="nina"), "with nina"),
    Event("boss", "share", _sharing(group="crew"), "with the crew"),
    Event("boss", "share", _sharing(group="crew", role="viewer"), "with the crew as viewers"),
    Event("boss", "unshare", _sharing(group="crew"), "the crew"),
    Event("ann", "unshare", _with("nina"), "nina"),
    Event("nina", "accept-share", _about_robot),
    Event("nina", "leave-share", _about_robot),
    Event("olga", "leave-share", _about_robot),
    Event("nina", "offer", _offer()),
    Event("nina", "offer", _offer(role="viewer"), "as viewer"),
    Event("nina", "takeover", _about_robot),
    Event("nina", "request-control", _about_robot),
    Event("nina", "ping", _to("nina")),
    Event("nina2", "resume", _to("nina")),
    Event("ann", "grant-control", _at("nina"), "to nina"),
    Event("nina", "watch", _nothing),
    Event("nina", "robots", _nothing),
]
"""What touches shares, and what those who have one send."""

OTHERS = [
    Event("ann", "offer", _offer(role="viewer"), "as viewer"),
    Event("olga", "offer", _offer(role="viewer"), "as viewer"),
    Event("ann2", "offer", _offer(role="viewer"), "as viewer"),
    Event("seed", "offer", _offer(role="viewer"), "as viewer"),
    Event("ann", "resume", _to("ann"), "its own"),
    Event("mallory", "offer", _offer()),
    Event("mallory", "takeover", _about_robot),
    Event("mallory", "forget", _about_robot),
    Event("mallory", "unshare", _with("olga"), "olga"),
    Event("mallory", "transfer", _with("mallory"), "to herself"),
    Event("ann", "share", _with("olga"), "with olga"),
    Event("robot", "offer", _to("ann", payload={"sdp": "o"}), "to ann"),
    Event("robot", "answer", _to("ann", payload={"sdp": "a"}), "to ann"),
    Event("ann", "ice-candidate", _candidate),
    Event("seed", "ice-candidate", _candidate),
    Event("robot", "ping", _about_robot),
    Event("olga", "ping", _to("olga")),
    Event("olga", "bye", _about_robot),
    Event("robot", "bye", _to("olga"), "to olga"),
    Event("ann", "grant-control", _at("seed"), "to the seed"),
    Event("ann", "deny-control", _at("olga"), "to olga"),
    Event("seed", "ready", lambda _: {"protocol": 1}),
    Event("ann", "ice-servers", _nothing),
    Event("olga2", "robots", _nothing),
    Event("olga2", "watch", _nothing),
    Event("olga2", "unwatch", _nothing),
    Event("ann", "history", _about_robot),
    Event("ann", "shares", _about_robot),
    Event("mallory", "shares", _about_robot),
    Event("mallory", "history", _about_robot),
    Event("late", "$connect"),
    Event("olga2", "$disconnect"),
]
"""The rest of the protocol."""

EVENTS = [*CLAIMING, *LEASING, *SHARING, *OTHERS]
"""Everything that schedules are made of."""


def _adding(key: str, **more: Any) -> Callable[[Cast], Message]:
    return lambda _: {"robotId": ROBOT, "publicKey": KEYS[key].jwk, **more}


def _about_key(key: str) -> Callable[[Cast], Message]:
    return lambda _: {"robotId": ROBOT, "kid": KEYS[key].kid}


def _by_code(cast: Cast) -> Message:
    return {"code": cast.code}


def _rotating(peer: str, key: str) -> Callable[[Cast], Message]:
    def make(cast: Cast) -> Message:
        proof = KEYS[key].proof(ROBOT, cast[peer].connection_id)
        return {"publicKey": KEYS[key].jwk, "proof": proof}

    return make


OWNERS_KEYED = [
    Event("ann", "enroll", _adding("k1"), "k1"),
    Event("ann", "enroll", _adding("k3"), "k3"),
    Event("boss", "enroll", _adding("k4", ownerUserId="ann"), "k4 for ann"),
    Event("mallory", "enroll", _adding("k4"), "k4"),
    Event("ann", "keys", _about_robot),
    Event("ann", "revoke-key", _about_key("k1"), "k1"),
    Event("boss", "revoke-key", _about_key("k3"), "k3"),
    Event("boss", "revoke-key", _sharing(all=True), "all"),
    Event("mallory", "revoke-key", _about_key("k1"), "k1"),
    Event("ann", "approve-key", _about_key("k3"), "k3"),
    Event("ann", "create-code", _about_robot),
]
"""What users do with keys."""

DEVICES = [
    Event("device", "register", _registering(RUN)),
    Event("device2", "register", _registering(RUN), "again"),
    Event("device2", "register", _registering(NEXT_RUN), "restarted"),
    Event("same", "register", _registering(NEXT_RUN), "restarted"),
    Event("twin", "register", _registering(RUN), "again"),
    Event("replay", "register", _registering(NEXT_RUN), "restarted"),
    Event("other key", "register", _registering(RUN), "again"),
    Event("device", "rotate-key", _rotating("device", "k4"), "k4"),
    Event("device2", "rotate-key", _rotating("device2", "k3"), "k3"),
    Event("device", "ping", _about_robot),
    Event("device", "$disconnect"),
]
"""What a robot does on the connections that it has opened by its keys."""

FRESH = [
    Event("fresh", "$connect"),
    Event("fresh", "register", _registering(NEXT_RUN), "restarted"),
]
"""A robot that connects by its key while that comes or goes."""

CODERS = [
    Event("coder", "enroll", _by_code, "by code"),
    Event("coder2", "enroll", _by_code, "by code"),
    Event("coder3", "enroll", _by_code, "by code"),
]
"""What a robot does on the connections that it has opened to enrol by a code."""

KEYED_EVENTS = [*OWNERS_KEYED, *DEVICES, *FRESH, *CODERS]

AT_ODDS = [
    Event("robot2", "offer", _offer()),
    Event("robot2", "offer", _offer(role="viewer"), "as viewer"),
    Event("robot2", "takeover", _about_robot),
    Event("robot2", "resume", _to("ann")),
    Event("ann2", "register", _registering(RUN)),
]
"""What a connection sends that is about to be the other: a robot drives, a client registers."""

ASKS_TOO = Event("ann", "request-control", _about_robot)

INVITERS = [
    Event("ann", "invite", _sharing(role="viewer")),
    Event("boss", "invite", _sharing(uses=2)),
    Event("mallory", "invite", _about_robot),
    Event("nina", "accept", _by_code),
    Event("nina2", "accept", _by_code),
    Event("mallory", "accept", _by_code),
    Event("olga", "accept", _by_code),
    Event("boss", "accept", _by_code),
    Event("ann", "accept", _by_code),
]
"""Who invites, and who accepts an invitation."""

_NAMED = {event.name: event for event in EVENTS}
AMONG_THEM = [
    _NAMED[name]
    for name in (
        "share with nina by ann",
        "unshare nina by ann",
        "unshare olga by ann",
        "accept-share by nina",
        "leave-share by nina",
        "leave-share by olga",
        "transfer to olga by ann",
        "forget by ann",
        "register as next run by robot2",
        "offer by nina",
        "offer as viewer by nina",
        "ping by nina",
        "share with the crew by boss",
    )
]
"""What changes the shares and the owner that invitations depend on, and uses a share."""

INVITED_EVENTS = [*INVITERS, *AMONG_THEM]

BY_NAME = {event.name: event for event in (*EVENTS, *KEYED_EVENTS, *INVITERS, *AT_ODDS, ASKS_TOO)}

KEY = [
    BY_NAME[name]
    for name in (
        "register again by robot2",
        "register as next run by robot2",
        "unregister by robot",
        "$disconnect by robot",
        "offer by ann2",
        "offer by olga",
        "takeover by ann2",
        "takeover by boss",
        "$disconnect by ann",
        "$disconnect by olga",
        "resume by ann2",
        "grant-control to olga by ann",
        "release-control by ann",
        "unshare olga by ann",
        "bye by ann",
        "bye to ann by robot",
        "request-control by olga",
        "ping by ann",
    )
]
"""One of each kind that touches the lease or the registration, for schedules of three."""
