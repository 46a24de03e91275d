"""What must be true of frames and replies: they tell what was true, to those it concerns.

Each rule reads a history and yields what breaks it.
"""

from collections.abc import Iterator

from robosignal.protocol.ids import ConnectionId
from robosignal.server.core.records import Session
from tests.explorer.history import By, Frame, History, Posted
from tests.explorer.holders import (
    ends_of,
    first_holders,
    holder_of,
    holders_of,
    id_of,
    may_have,
    places_of,
    right_end_of,
    sessions_of,
    user_of,
)

Found = Iterator[str]

BUSY = 503
RELAYED = frozenset({"offer", "answer", "ice-candidate"})


def frames_name_the_holder(history: History) -> Found:
    """A frame with an epoch names who held at that epoch."""
    if history.forgotten:
        return
    holders, first = holders_of(history), first_holders(history)
    for posted in history.posted:
        frame = posted.frame
        if "epoch" not in frame:
            continue
        held, taker = holders.get(frame["epoch"]), first.get(frame["epoch"])
        if frame["type"] in ("control-lost", "peer-left"):
            # A session of one user may stand on two connections in turn, under one id.
            if taker is not None and posted.to == taker.connection_id:
                yield f"{frame['type']} at epoch {frame['epoch']}, which that session holds"
        elif frame.get("sessionId") != id_of(held):
            yield f"{frame['type']} names another than the holder of epoch {frame['epoch']}"
        if frame["type"] == "control-lost" and user_of(held) != frame["by"]["userId"]:
            yield f"control-lost by another than the holder of epoch {frame['epoch']}"


def only_the_holder_is_relayed_as_such(history: History) -> Found:
    """A client's frame has an epoch, and a controller's role, only if it is the holder's."""
    if history.forgotten:
        return
    places = places_of(history)
    robots = {robot.connection_id for robot in history.versions}
    for posted in history.posted:
        frame, by = posted.frame, posted.by
        if frame["type"] not in RELAYED or frame.get("role") != "controller":
            continue
        early = by.kind == "ice-candidate" and _is_early(history, posted)
        if "epoch" not in frame and not early:
            yield f"{by.event} was relayed as a controller's, without an epoch"
        own = (frame.get("epoch"), frame["sessionId"], by.connection) in places
        if "epoch" in frame and not own and by.connection not in robots:
            yield f"{by.event} was relayed as the holder's"


def _is_early(history: History, posted: Posted) -> bool:
    """Say whether this is a seed client's candidate that overtakes its own offer.

    It may ask for v1 before that offer: the candidate was sent as a seed's all the same.
    """
    asked = any(
        by.kind == "ready" for by in history.invocations if by.connection == posted.by.connection
    )
    return asked or all(
        posted.frame["sessionId"] != each.session_id or each.dialect == "seed"
        for robot in history.versions
        for each, _ in robot.sessions()
    )


def frames_reach_their_session_alone(history: History) -> Found:
    """What is relayed to a client goes to a connection that its session was on."""
    was_on = {
        (each.session_id, each.connection_id)
        for robot in history.versions
        for each in sessions_of(robot)
    }
    robots = {robot.connection_id for robot in history.versions}
    for posted in history.posted:
        frame = posted.frame
        if frame["type"] not in RELAYED or posted.to in robots or "sessionId" not in frame:
            continue
        if (frame["sessionId"], posted.to) not in was_on:
            yield f"{frame['type']} of a session went to {posted.to}, which never had it"


def replies_are_true(history: History) -> Found:
    """No client is told that it holds what it does not, at that epoch; nothing breaks inside."""
    holders, places = holders_of(history), places_of(history)
    for reply in history.replied:
        frame, by = reply.frame, reply.by
        if reply.status >= 500 and reply.status != BUSY:
            yield f"{by.event} was answered {reply.status}"
        if history.forgotten:
            continue
        said = frame.get("control")
        if said is not None and (
            said["epoch"] not in holders or id_of(holders[said["epoch"]]) != said.get("sessionId")
        ):
            yield "a robot was told of another holder than its epoch's"
        if frame.get("type") in ("ack", "pong") and "epoch" in frame:
            yield from _ack(by, frame, holders, places)


def _ack(
    by: By,
    frame: Frame,
    holders: dict[int, Session | None],
    places: set[tuple[int, str | None, ConnectionId]],
) -> Found:
    epoch = frame["epoch"]
    held = holders.get(epoch)
    if epoch not in holders:
        yield f"{by.event} was told of epoch {epoch}, which never was"
    elif frame.get("role") == "viewer":
        if held is not None and held.connection_id == by.connection:
            yield f"{by.event} was told to view, and holds epoch {epoch}"
    elif by.kind == "release-control":
        if held is not None:
            yield f"{by.event} was told that control is free, which it was not"
    elif by.kind == "grant-control":
        if id_of(held) != by.message["sessionId"]:
            yield f"{by.event} was told that another holds"
    elif held is None or (epoch, held.session_id, by.connection) not in places:
        yield f"{by.event} was told to hold epoch {epoch}, which is {user_of(held) or 'no one'}'s"
    elif frame.get("sessionId", held.session_id) != held.session_id:
        yield f"{by.event} was told of another session than the holder's"


def the_displaced_are_told(history: History) -> Found:
    """A client that loses a session to another's message is told, unless its socket was lost."""
    for write in history.wrote:
        if write.by.number in history.faulty or write.before is None:
            continue
        stay = {each.session_id for each in sessions_of(write.after)}
        for each, role in write.before.sessions():
            over = role == "viewer" and each.has_lapsed(role, write.by.now)
            spoken_to = each.dialect == "v1" and each.lost is None and not over
            if (
                each.session_id in stay
                or not spoken_to
                or each.connection_id == write.by.connection
            ):
                continue
            if not any(
                posted.by is write.by and posted.to == each.connection_id
                for posted in history.posted
                if posted.frame["type"] in ("control-lost", "peer-left")
            ):
                yield f"{each.user_id}'s {role} session ended by {write.by.event}: not told"


def the_robot_is_told(history: History) -> Found:
    """A v1 robot hears of every change of holder, at its epoch, on the connection it had then."""
    for write in history.wrote:
        old, new, by = write.before, write.after, write.by
        if by.number in history.faulty or old is None or old.epoch == new.epoch:
            continue
        to = new.connection_id
        if to is None or new.dialect == "seed" or to == by.connection:
            continue
        if any(posted.by is by and posted.to == to for posted in history.posted if posted.is_gone):
            continue
        if not any(
            posted.by is by and posted.to == to and posted.frame.get("epoch") == new.epoch
            for posted in history.posted
        ):
            yield f"the robot was not told of epoch {new.epoch} ({write.name} by {by.event})"


def rights_are_the_holders(history: History) -> Found:
    """A robot is told what is left of its holder's token at that epoch; no client is told."""
    if history.forgotten:
        return
    ends, robots = ends_of(history), {robot.connection_id for robot in history.versions}
    told = [(posted.by, posted.frame) for posted in history.posted]
    told += [
        (reply.by, reply.frame["control"]) for reply in history.replied if "control" in reply.frame
    ]
    for by, frame in told:
        seconds = frame.get("rightSeconds")
        if seconds is not None and seconds not in _left(ends.get(frame["epoch"], set()), by.now):
            yield f"{by.event} told of {seconds} s at epoch {frame['epoch']}"
    for posted in history.posted:
        if posted.to not in robots and {"right", "rightSeconds"} & posted.frame.keys():
            yield f"{posted.frame['type']} told {posted.to} of a right"


def every_sessions_right_is_told(history: History) -> Found:
    """A v1 robot's `pong` and `registered` tell what is left of each session's right; no client's.

    A session that has been resumed or renewed has had several ends.
    """
    if history.forgotten:
        return
    ends: dict[str, set[int]] = {}
    for robot in history.versions:
        for session in sessions_of(robot):
            ends.setdefault(session.session_id, set()).add(right_end_of(session))
    dialects = {robot.connection_id: robot.dialect for robot in history.versions}
    for reply in history.replied:
        frame, by = reply.frame, reply.by
        if "control" not in frame or dialects.get(by.connection) != "v1":
            if "rightSeconds" in str(frame):
                yield f"{by.event} told of a right"
            continue
        for each in frame["sessions"]:
            if each.get("rightSeconds") not in _left(ends[each["sessionId"]], by.now):
                yield f"{by.event} told of {each.get('rightSeconds')} s of {each['sessionId']}"


def _left(ends: set[int], now: int) -> set[int]:
    return {max(0, end - now) // 1000 for end in ends}


def offers_bear_their_senders_right(history: History) -> Found:
    """An offer to a v1 robot says what its sender may do, until the sender's own right ends."""
    if history.forgotten:
        return
    owners = {robot.owner_user_id for robot in history.versions}
    robots = {robot.connection_id for robot in history.versions if robot.dialect == "v1"}
    ends: dict[ConnectionId, set[int]] = {}
    for robot in history.versions:
        for each in sessions_of(robot):
            ends.setdefault(each.connection_id, set()).add(right_end_of(each))
    for posted in history.posted:
        frame, by = posted.frame, posted.by
        if frame["type"] != "offer" or posted.to not in robots:
            continue
        right = frame["right"]
        if right["rightSeconds"] not in _left(ends[by.connection], by.now):
            yield f"{by.event} had {right['rightSeconds']} s"
        drives = {may_have(robot, by.user, "controller", by.now) for robot in history.versions}
        if right["drive"] not in drives or (right["owner"] and by.user not in owners):
            yield f"{by.event} had the right {right}"


def the_robot_hears_of_a_longer_right(history: History) -> Found:
    """What changes when the holder's right ends is told at once, at the same epoch."""
    done = {reply.by.number for reply in history.replied if reply.frame.get("type") == "ack"}
    for write in history.wrote:
        old, new, by = write.before, write.after, write.by
        was, held = holder_of(old), new.controller
        if by.number not in done or by.number in history.faulty or was is None or held is None:
            continue
        moved = was.session_id == held.session_id and right_end_of(was) != right_end_of(held)
        to = new.connection_id
        if not moved or by.kind not in ("resume", "ping") or to is None or new.dialect == "seed":
            continue
        if not any(
            posted.by is by and posted.to == to and posted.frame.get("epoch") == new.epoch
            for posted in history.posted
            if "rightSeconds" in posted.frame
        ):
            yield f"the robot was not told that {by.event} renewed the right"


def watchers_hear_the_truth(history: History) -> Found:
    """A pushed presence tells the robot's state at its `rev`."""
    if history.forgotten:
        return
    versions = {robot.rev: robot for robot in history.versions}
    for posted in history.posted:
        frame = posted.frame
        if frame["type"] != "presence":
            continue
        robot = versions.get(frame["rev"])
        told = [frame[name]["userId"] for name in ("controlledBy", "notRenewed") if name in frame]
        if robot is None or not set(told) <= {user_of(robot.controller)} or len(told) > 1:
            yield f"presence at rev {frame['rev']} tells of {told}"
