"""One write of each kind, to see what its condition is made of.

The arguments mean nothing; only the shape of what is made counts.
"""

from collections.abc import Callable
from typing import Any

from signaling.core.expressions import Write
from signaling.core.policy import right
from signaling.core.records import Connection, Session
from signaling.core.writes import lease, places, presence, rows
from signaling.core.writes.presence import Claim
from signaling.wire.ids import ConnectionId, InstanceId, RobotId, SessionId, UserId, session_id
from signaling.wire.messages import Forget, Offer, Resume, Takeover

ROBOT = RobotId("r1")
ME, OTHER = ConnectionId("me="), ConnectionId("other=")
ROW = Connection(connection_id=ME, user_id=UserId("ann"), dialect="v1", ts=1, expires_at=9, ttl=9)


def _session(connection: ConnectionId, name: ConnectionId = ME, **more: Any) -> Session:
    said: dict[str, Any] = {"dialect": "v1", **more}
    return Session(
        session_id=session_id(ROBOT, name),
        user_id=ROW.user_id,
        connection_id=connection,
        connected_at=1,
        expires_at=9,
        until=9,
        **said,
    )


MINE, THEIRS = _session(ME), _session(OTHER, OTHER)
MOVED = _session(OTHER)
SID = MINE.session_id
LAPSED = SessionId("r1:lapsed")
CLAIM = Claim(
    row=ROW,
    instance_id=InstanceId("run"),
    metadata=None,
    ice_restart=True,
    fleet_shard="1",
    until=9,
    now=5,
    force=False,
    provisioned=False,
)

SAMPLES: dict[Callable[..., Write], tuple[Any, ...]] = {
    lease.acquire: (MINE, right(Offer, ROW), 5),
    lease.acquire_among_viewers: (MINE, right(Offer, ROW), 5, (THEIRS,)),
    lease.acquire_as_viewer: (MINE, right(Offer, ROW), 5),
    lease.acquire_again: (MINE, right(Offer, ROW), 5),
    lease.take_over: (MINE, right(Takeover, ROW)),
    lease.take_over_among_viewers: (MINE, right(Takeover, ROW), (THEIRS,)),
    lease.take_over_as_viewer: (MINE, right(Takeover, ROW)),
    lease.renew: (SID, ME, 9),
    lease.resume: (MOVED, right(Resume, ROW)),
    lease.lose: (SID, ME, 5, 9),
    lease.grant: (MINE, _session(OTHER, OTHER, dialect="seed"), OTHER, 3),
    lease.release: (MINE,),
    lease.leave: (SID, ME),
    lease.dismiss: (SID, OTHER),
    lease.give_back: (SID, ME),
    lease.give_back_with_robot: (SID, ME, OTHER),
    places.take: (MINE, right(Offer, ROW), 3, (THEIRS,)),
    places.take_lapsed: (MINE, right(Offer, ROW), LAPSED, 5, (THEIRS,)),
    places.renew: (SID, ME, 9),
    places.resume: (MOVED, right(Resume, ROW)),
    places.lose: (SID, ME, 9),
    places.leave: (SID, ME),
    places.dismiss: (SID, OTHER),
    presence.register_again: (CLAIM,),
    presence.register_anew: (CLAIM,),
    presence.renew: (ME, 9),
    presence.lose: (ME,),
    presence.unregister: (ME,),
    presence.evict: (right(Forget, ROW),),
    rows.speak_v1: (ME,),
    rows.note_robot: (ME, ROBOT),
    rows.note_session: (ME, SID),
    rows.watch: (ME, "ann"),
    rows.unwatch: (),
    rows.forget_session: (SID,),
}
"""Every write, and arguments to make one with."""
