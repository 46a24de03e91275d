"""Draws the steps of random conversations: who takes part, and what each of them would send."""

from typing import Any

from hypothesis import strategies as st

PEOPLE = (
    ("owner", ()),
    ("olga", ()),
    ("boss", ("ADMIN",)),
    ("stranger", ()),
)
ROBOTS = ("r1", "r2")

Step = tuple[Any, ...]
Message = dict[str, Any]
Messages = st.SearchStrategy[Message]

SEATS = (
    (0, True),
    (0, False),
    (0, True),
    (0, True),
    (1, False),
    (1, True),
    (2, True),
    (3, True),
)
"""Who sits at each connection as a conversation begins, and whether they speak v1."""

seats = st.integers(0, len(SEATS) - 1)
machines = st.integers(0, 1)
drivers = st.integers(2, len(SEATS) - 1)


def among(*choices: Any) -> st.SearchStrategy[Any]:
    """Return any of these."""
    return st.sampled_from(choices)


def merged(*parts: Messages) -> Messages:
    """Return messages with the fields of every part."""
    return st.tuples(*parts).map(lambda each: {k: v for part in each for k, v in part.items()})


def field(name: str, values: st.SearchStrategy[Any]) -> Messages:
    """Return messages with one field."""
    return values.map(lambda value: {name: value})


def kind(*names: str, **more: Any) -> Messages:
    """Return messages of one of these types."""
    return among(*({"type": name, **more} for name in names))


def weighted(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Return any of these, each as often as its weight says."""
    return among(*(each for weight, each in choices for _ in range(weight))).flatmap(lambda s: s)


robots = field("robotId", among(*ROBOTS))
standing = field("session", st.tuples(among(*ROBOTS), st.integers(0, 3)))
"""The n-th session that a robot has."""
own = field("own", among(*ROBOTS))
"""The session that the sender would open with a robot."""
client = field("client", seats)
users = field("userId", among("olga", "olga", "stranger", "boss", "owner"))
roles = among({}, {"role": "viewer"}, {"role": "controller"})
targets = among({}, {}, {}, {"target": "robot"}, {"target": "client"})
instances = among({}, {"instanceId": "run1"}, {"instanceId": "run2"}, {"force": True})

ends = st.one_of(robots, robots, standing, own, client, merged(robots, client))
bodies = among(
    {"type": "answer", "sdp": "a"},
    {"type": "ice-candidate", "candidate": "c"},
    {"type": "Candidate", "candidate": None},
    {"type": "bye"},
    {"type": "offer", "sdp": "o"},
)
offers = merged(kind("offer", sdp="o"), robots, roles)
registers = merged(kind("register"), robots, instances)

from_drivers = weighted(
    (4, offers),
    (2, merged(kind("takeover"), robots)),
    (1, merged(kind("release-control"), robots)),
    (3, merged(kind("resume"), standing)),
    (2, merged(kind("ping"), standing)),
    (2, merged(kind("request-control"), robots)),
    (1, kind("watch", "unwatch")),
    (1, registers),
    (4, merged(bodies, ends)),
)
from_holders = weighted(
    (3, merged(kind("grant-control"), field("session", st.tuples(among("r1"), st.integers(1, 3))))),
    (1, merged(kind("deny-control"), standing)),
    (1, merged(kind("release-control"), robots)),
    (2, merged(kind("ping"), standing)),
    (2, offers),
    (1, merged(bodies, ends)),
)
from_machines = weighted(
    (6, merged(bodies, standing)),
    (2, merged(bodies, client)),
    (1, merged(kind("ping"), robots)),
    (1, merged(kind("ping"), robots, standing)),
    (1, merged(kind("register", instanceId="run1"), robots)),
)
from_anyone = st.one_of(
    merged(bodies, ends, targets),
    merged(kind("takeover", "release-control", "request-control"), ends, targets),
    merged(kind("grant-control", "deny-control"), robots, own),
    kind("watch", all=True),
    merged(kind("ping"), robots, standing),
    merged(kind("unregister"), robots),
    merged(kind("share", "unshare", "transfer"), robots, users),
    merged(kind("shares"), robots),
    merged(kind("resume"), own),
    registers,
    kind("robots", "nonsense", "ice-servers", "ready"),
    kind("ready", protocol=1),
)


def sends(who: st.SearchStrategy[int], what: Messages) -> st.SearchStrategy[Step]:
    """Return steps in which one of these sends one of those."""
    return st.tuples(st.just("send"), who, what)


steps: st.SearchStrategy[Step] = weighted(
    (10, sends(drivers, from_drivers)),
    (4, sends(machines, from_machines)),
    (2, st.tuples(st.just("come back"), drivers, among(*ROBOTS), st.integers(0, 3))),
    (4, st.tuples(st.just("hold"), among("r1", "r1", "r2"), from_holders)),
    (2, sends(seats, from_anyone)),
    (1, st.tuples(st.just("redial"), seats, st.booleans(), among("drain", "vanish"))),
    (2, st.tuples(st.just("redial"), drivers, st.just(value=True), among("drain", "disconnect"))),
    (1, st.tuples(among("vanish", "disconnect"), seats)),
    (2, st.tuples(st.just("wait"), among(1, 20, 29, 31, 61, 301))),
)
