"""Draws writes whose arguments come mostly from the item that they meet.

So conditions often hold, and fail only by little.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from robosignal.protocol.ids import ConnectionId, RobotId, SessionId, UserId, session_id
from robosignal.protocol.messages import (
    ApproveKey,
    Dialect,
    Forget,
    Invite,
    Message,
    Offer,
    RequestControl,
    Resume,
    RevokeKey,
    Share,
    ShareRole,
    Takeover,
    Transfer,
    Unshare,
)
from robosignal.server.core.authorization import condition_for, find_share
from robosignal.server.core.conditional_writes import (
    AllOf,
    AnyOf,
    Condition,
    Item,
    Write,
    evaluate,
)
from robosignal.server.core.records import (
    Code,
    Connection,
    Invitation,
    Key,
    Robot,
    RobotShare,
    Session,
    group_key,
    group_of,
    robot_from_item,
)
from robosignal.server.core.writes import (
    codes,
    connections,
    keys,
    lease,
    ownership,
    presence,
    viewers,
)
from robosignal.server.core.writes.presence import Claim
from tests.server.core.generated import (
    CODE_HASHES,
    INSTANCES,
    KIDS,
    NOW,
    ROBOT,
    SOCKETS,
    assertions,
    clients,
    connection_rows,
    dialects,
    grantees,
    items,
    kids,
    often,
    opened,
    session_ids,
    sessions,
    sockets,
    soon,
    users,
)
from tests.server.core.generated import codes as drawn_codes
from tests.server.core.generated import invitations as drawn_invitations


class Aim:
    """Draws a write's arguments, mostly from the item that it will meet."""

    def __init__(self, draw: DrawFn, item: Item | None) -> None:
        self._draw = draw
        self._item: Item = item or {}

    def _mostly(self, likely: Any, else_: SearchStrategy[Any]) -> Any:
        return likely if likely is not None and self._draw(often) else self._draw(else_)

    def session(self, *, viewer: bool) -> Session:
        """Draw one of the item's sessions, or any."""
        held = self._item.get("controller")
        # The first to lapse, where places are concerned.
        viewers = sorted(self._item.get("viewers", {}).values(), key=lambda one: one["until"])
        standing = next(iter(viewers), None) if viewer else held
        likely = None if standing is None else msgspec.convert(standing, Session)
        found: Session = self._mostly(likely, sessions())
        return found

    def end(self, *, viewer: bool) -> tuple[SessionId, ConnectionId]:
        """Draw a session's id and its connection."""
        found = self.session(viewer=viewer)
        client: ConnectionId = self._mostly(found.connection_id, clients)
        return found.session_id, client

    def mine(self, *, viewer: bool = False, holder: bool = False) -> Session:
        """Draw the session that a sender would have: on its own connection, or one that exists."""
        if viewer or holder:
            found = self.session(viewer=viewer)
            return msgspec.structs.replace(found, until=NOW + 60_000, lost=None)
        client: ConnectionId = self._draw(clients | sockets)
        user = self._mostly(self._item.get("ownerUserId"), users)
        own = self._draw(sessions(session_id(ROBOT, client)))
        return msgspec.structs.replace(own, connection_id=client, user_id=user, lost=None)

    def moved(self, *, viewer: bool) -> Session:
        """Draw a session as it is after a redial."""
        found = self.session(viewer=viewer)
        return msgspec.structs.replace(
            found,
            connection_id=self._draw(clients),
            connected_at=self._draw(opened),
            until=NOW + 60_000,
        )

    def standing(self) -> list[Session]:
        """Draw the viewers that were seen before the write: those that stand, or none."""
        viewers = self._item.get("viewers", {}).values() if self._draw(often) else ()
        return [msgspec.convert(each, Session) for each in viewers]

    def right(self, kind: type[Message], mine: Session) -> Condition:
        """Draw the right of the session's user, who is sometimes an admin."""
        if not self._draw(often):
            return AllOf(())
        row = self._draw(connection_rows(user_id=mine.user_id, groups=("drivers",)))
        share = find_share(row, self.seen_robot(), NOW, drive=kind is not Resume)
        return condition_for(kind, row, share)

    def socket(self) -> ConnectionId:
        """Draw the robot's connection, or another."""
        found: ConnectionId = self._mostly(self._item.get("connectionId"), sockets)
        return found

    def claim(self) -> Claim:
        """Draw a claim to the robot."""
        user = self._mostly(self._item.get("ownerUserId"), users)
        by_key = self._draw(often if self._item.get("keys") else st.booleans())
        assertion = self._draw(assertions(self._item)) if by_key else None
        row = connection_rows(connection_id=self._draw(sockets), user_id=user, assertion=assertion)
        return Claim(
            row=self._draw(row),
            instance_id=self._draw(st.sampled_from(INSTANCES)),
            metadata=self._draw(st.sampled_from([None, '{"a":"b"}'])),
            ice_restart=self._draw(st.booleans()),
            fleet_shard="5",
            until=NOW + 300_000,
            now=NOW,
            force=self._draw(st.booleans()),
            # `register` asks this of an item whose `lastIat` it has seen.
            same_second="lastIat" in self._item and self._draw(st.booleans()),
        )

    def kid(self) -> str:
        """Draw one of the robot's keys, or another."""
        held = sorted(self._item.get("keys", ()))
        found: str = self._mostly(self._draw(st.sampled_from(held)) if held else None, kids)
        return found

    def present_kid(self) -> str:
        """Draw the key that has registered the robot, or another."""
        found: str = self._mostly(self._item.get("kid"), kids)
        return found

    def new_key(self) -> tuple[str, Key]:
        """Draw a key to add, which is mostly a new one."""
        added = Key(
            x="x",
            y="y",
            added_by=self._draw(users),
            added_at=NOW,
            pending=self._draw(st.booleans()),
        )
        free = sorted(set(KIDS) - set(self._item.get("keys", ())))
        return self._mostly(free[0] if free else None, kids), added

    def ended(self, added: str) -> list[str]:
        """Draw the keys that were seen to have ended."""
        held = self._item.get("keys", {}).items()
        over = [kid for kid, key in held if key.get("notAfter", NOW + 1) <= NOW]
        seen = over if self._draw(often) else [self._draw(kids)]
        # The key to add is in the item then, and is acknowledged before any write.
        return [each for each in seen if each != added]

    def enrolling(self) -> Condition:
        """Draw the right to let a key in."""
        owned = keys.is_owned_by(self._mostly(self._item.get("ownerUserId"), users))
        return AnyOf((keys.has_no_owner(), owned)) if self._draw(st.booleans()) else owned

    def code(self) -> Code:
        """Draw the code as it was read, or another."""
        read = msgspec.convert(self._item, Code) if self._item else None
        found: Code = self._mostly(read, drawn_codes())
        return found

    def taker_kid(self) -> str:
        """Draw the key that this robot has taken a use for, or another."""
        found: str = self._mostly(self._item.get("takers", {}).get(ROBOT), kids)
        return found

    def seen(self, viewer: SessionId) -> ConnectionId:
        """Draw the connection on which a viewer was seen."""
        place = self._item.get("viewers", {}).get(viewer, {})
        found: ConnectionId = self._mostly(place.get("connectionId"), clients)
        return found

    def seen_robot(self) -> Robot:
        """Return the robot as it was read: as it is, or before it had any share."""
        empty: dict[str, Any] = {"robotId": ROBOT, "ownerUserId": "ann"}
        item = {**empty, **self._item} if self._draw(often) else empty
        return robot_from_item(item)

    def share(self, *, offered: bool | None = None, ended: bool = False) -> RobotShare:
        """Draw one of the robot's shares or offers, or any other."""
        found = [
            each
            for each in self.seen_robot().shares()
            if (offered is None or each.offered == offered) and (not ended or each.until)
        ]
        is_found = bool(found) and self._draw(often)
        share = found[0] if is_found else self._any_share()
        role: ShareRole = self._draw(st.sampled_from(["operator", "viewer"]))
        if offered is None:
            # What is wanted, not what there is.
            until = self._draw(st.sampled_from([None, None, NOW + 90_000]))
            new = group_of(share.grantee) is None and self._draw(st.booleans())
            return RobotShare(share.grantee, role, until, new)
        until = share.until or (NOW if ended else None)
        return RobotShare(share.grantee, share.role, until, offered)

    def _any_share(self) -> RobotShare:
        return RobotShare(self._draw(grantees), "operator")

    def covered(self, grantee: UserId) -> list[SessionId]:
        """Draw the viewer sessions by a share that were seen, and so are to end with it."""
        return [each.session_id for each in self.standing() if each.comes_from(grantee)]

    def holders_grantee(self) -> UserId:
        """Draw by whose share the lease is held, or any other."""
        held = self._item.get("controller")
        likely = None
        if held is not None:
            group = held.get("group")
            likely = held["userId"] if group is None else group_key(group)
        found: UserId = self._mostly(likely, grantees)
        return found

    def operator(self) -> UserId:
        """Draw whom the robot is shared with, or somebody else."""
        operators = sorted(self._item.get("operators", ()))
        found: UserId = self._mostly(operators[0] if operators else None, users)
        return found

    def unshared(self, *, holder: bool) -> tuple[UserId, Condition, Robot, list[SessionId]]:
        """Draw whose share ends, by which right, and which viewers of theirs were seen."""
        grantee = self.holders_grantee() if holder else self._draw(grantees)
        right = self.right(Unshare, self.mine())
        return grantee, right, self.seen_robot(), self.covered(grantee)

    def shared(self, *, holder: bool) -> tuple[RobotShare, Condition, Robot, list[SessionId]]:
        """Draw a share to make or change, by which right, and which sessions it ends."""
        wanted = self.share()
        if holder:
            wanted = msgspec.structs.replace(wanted, grantee=self.holders_grantee())
        right = self.right(Share, self.mine())
        return wanted, right, self.seen_robot(), self.covered(wanted.grantee)

    def accepting(self) -> tuple[UserId, Invitation, Robot, list[SessionId]]:
        """Draw who accepts which invitation, and which sessions would outlast their share."""
        user = self._draw(users)
        invitation = self._draw(drawn_invitations(self._item.get("inviting")))
        return user, invitation, self.seen_robot(), self.covered(user)

    def epoch(self) -> int:
        """Draw the epoch that was seen."""
        found: int = self._mostly(self._item.get("epoch"), st.integers(1, 3))
        return found

    def stamp(self) -> str:
        """Draw the stamp of the last write, or another."""
        found: str = self._mostly(self._item.get("stamp"), st.just("cafe"))
        return found

    def until(self) -> int:
        """Draw an end."""
        return self._draw(soon)

    def limit(self) -> int:
        """Draw how many viewers there may be."""
        return self._draw(st.sampled_from([2, 2, 0, 1]))

    def dialect(self) -> Dialect:
        """Draw what the connection spoke."""
        return self._draw(dialects)

    def noted(self) -> SessionId:
        """Draw a session that the row notes, or another."""
        noted = sorted(self._item.get("sessions", ()))
        found: SessionId = self._mostly(noted[0] if noted else None, session_ids)
        return found

    def client(self) -> ConnectionId:
        """Draw a client's connection."""
        found: ConnectionId = self._mostly(self._item.get("connectionId"), clients)
        return found


def _taking(write: Callable[..., Write], aim: Aim, mine: Session) -> Write:
    return write(mine, aim.right(Offer, mine), NOW)


def _over(write: Callable[..., Write], aim: Aim, mine: Session) -> Write:
    return write(mine, aim.right(Takeover, mine))


def _resuming(write: Callable[..., Write], aim: Aim, moved: Session) -> Write:
    return write(moved, aim.right(Resume, moved))


def _renewing(write: Callable[..., Write], aim: Aim, mine: Session) -> Write:
    return write(mine, aim.right(Resume, mine))


def _granting(aim: Aim) -> Write:
    mine, theirs = aim.mine(holder=True), aim.moved(viewer=True)
    if theirs.session_id == mine.session_id:
        # To oneself: refused before any write, since two paths of one update would overlap.
        mine = msgspec.structs.replace(mine, session_id=session_id(ROBOT, SOCKETS[0]))
    right = aim.right(RequestControl, theirs)
    return lease.grant(mine, theirs, aim.seen(theirs.session_id), aim.epoch(), right)


def _viewing(aim: Aim) -> Write:
    mine = aim.mine()
    return viewers.add(mine, aim.right(Offer, mine), aim.limit(), aim.standing())


def _viewing_lapsed(aim: Aim) -> Write:
    mine = aim.mine()
    lapsed = aim.session(viewer=True).session_id
    return viewers.replace_lapsed(mine, aim.right(Offer, mine), lapsed, NOW, aim.standing())


def _enrolling_first(aim: Aim) -> Write:
    kid, key = aim.new_key()
    return keys.enroll_first(kid, key, aim.operator(), aim.enrolling(), "5")


def _enrolling(aim: Aim) -> Write:
    kid, key = aim.new_key()
    return keys.enroll(kid, key, aim.enrolling(), aim.ended(kid))


def _rotating(aim: Aim) -> Write:
    kid, key = aim.new_key()
    # Neither is the key in use one of those that have ended, nor the new one: two paths of one
    # update would overlap.
    old = aim.present_kid()
    old = next(each for each in KIDS if each != kid) if old == kid else old
    ended = [each for each in aim.ended(kid) if each != old]
    return keys.rotate(aim.socket(), old, kid, key, ended)


ROBOT_WRITES: dict[Callable[..., Write], Callable[[Aim], Write]] = {
    lease.acquire: lambda aim: _taking(lease.acquire, aim, aim.mine()),
    lease.acquire_among_viewers: lambda aim: _taking(
        partial(lease.acquire_among_viewers, seen=aim.standing()), aim, aim.mine()
    ),
    lease.acquire_as_viewer: lambda aim: _taking(
        lease.acquire_as_viewer, aim, aim.mine(viewer=True)
    ),
    lease.acquire_again: lambda aim: _taking(lease.acquire_again, aim, aim.mine(holder=True)),
    lease.take_over: lambda aim: _over(lease.take_over, aim, aim.mine()),
    lease.take_over_among_viewers: lambda aim: _over(
        partial(lease.take_over_among_viewers, seen=aim.standing()), aim, aim.mine()
    ),
    lease.take_over_as_viewer: lambda aim: _over(
        lease.take_over_as_viewer, aim, aim.mine(viewer=True)
    ),
    lease.renew: lambda aim: lease.renew(*aim.end(viewer=False), NOW + 60_000),
    lease.renew_right: lambda aim: _renewing(lease.renew_right, aim, aim.mine(holder=True)),
    lease.resume: lambda aim: _resuming(lease.resume, aim, aim.moved(viewer=False)),
    lease.begin_grace: lambda aim: lease.begin_grace(*aim.end(viewer=False), NOW, NOW + 30_000),
    lease.record_late_loss: lambda aim: lease.record_late_loss(
        *aim.end(viewer=False), NOW, NOW + 30_000
    ),
    lease.grant: _granting,
    lease.release: lambda aim: lease.release(aim.mine(holder=True), aim.limit()),
    lease.leave: lambda aim: lease.leave(*aim.end(viewer=False)),
    lease.dismiss: lambda aim: lease.dismiss(aim.end(viewer=False)[0], aim.socket()),
    lease.roll_back: lambda aim: lease.roll_back(*aim.end(viewer=False)),
    lease.roll_back_with_robot: lambda aim: lease.roll_back_with_robot(
        *aim.end(viewer=False), aim.socket()
    ),
    lease.undo: lambda aim: lease.undo(*aim.end(viewer=False), aim.stamp()),
    viewers.add: _viewing,
    viewers.replace_lapsed: _viewing_lapsed,
    viewers.renew: lambda aim: viewers.renew(*aim.end(viewer=True), NOW + 300_000),
    viewers.renew_right: lambda aim: _renewing(viewers.renew_right, aim, aim.mine(viewer=True)),
    viewers.resume: lambda aim: _resuming(viewers.resume, aim, aim.moved(viewer=True)),
    viewers.begin_grace: lambda aim: viewers.begin_grace(*aim.end(viewer=True), NOW, aim.until()),
    viewers.record_late_loss: lambda aim: viewers.record_late_loss(
        *aim.end(viewer=True), NOW, aim.until()
    ),
    viewers.leave: lambda aim: viewers.leave(*aim.end(viewer=True)),
    viewers.undo: lambda aim: viewers.undo(*aim.end(viewer=True), aim.stamp()),
    viewers.dismiss: lambda aim: viewers.dismiss(aim.end(viewer=True)[0], aim.socket()),
    presence.register_redial: lambda aim: presence.register_redial(aim.claim()),
    presence.register_process: lambda aim: presence.register_process(aim.claim()),
    presence.renew: lambda aim: presence.renew(aim.socket(), aim.until()),
    presence.record_loss: lambda aim: presence.record_loss(aim.socket()),
    presence.unregister: lambda aim: presence.unregister(aim.socket()),
    presence.evict: lambda aim: presence.evict(aim.right(Forget, aim.mine())),
    ownership.share: lambda aim: ownership.share(*aim.shared(holder=False)),
    ownership.share_with_holder: lambda aim: ownership.share_with_holder(*aim.shared(holder=True)),
    ownership.accept: lambda aim: ownership.accept(aim.share(offered=True)),
    ownership.invite: lambda aim: ownership.invite(CODE_HASHES[1], aim.right(Invite, aim.mine())),
    ownership.accept_invitation: lambda aim: ownership.accept_invitation(*aim.accepting()),
    ownership.drop_ended: lambda aim: ownership.drop_ended(aim.share(offered=False, ended=True)),
    ownership.unshare: lambda aim: ownership.unshare(*aim.unshared(holder=False)),
    ownership.unshare_holder: lambda aim: ownership.unshare_holder(*aim.unshared(holder=True)),
    ownership.transfer: lambda aim: ownership.transfer(
        aim.operator(), aim.right(Transfer, aim.mine())
    ),
    keys.enroll_first: _enrolling_first,
    keys.enroll: _enrolling,
    keys.approve: lambda aim: keys.approve(aim.kid(), aim.right(ApproveKey, aim.mine())),
    keys.rotate: _rotating,
    keys.revoke: lambda aim: keys.revoke(aim.kid(), aim.right(RevokeKey, aim.mine())),
    keys.revoke_all: lambda aim: keys.revoke_all(aim.right(RevokeKey, aim.mine())),
    keys.revoke_all_present: lambda aim: keys.revoke_all_present(aim.right(RevokeKey, aim.mine())),
    keys.revoke_present: lambda aim: keys.revoke_present(
        aim.present_kid(), aim.right(RevokeKey, aim.mine())
    ),
}
"""How to draw each write to a robot's item."""

ROW_WRITES: dict[Callable[..., Write], Callable[[Aim], Write]] = {
    connections.switch_to_v1: lambda aim: connections.switch_to_v1(aim.client()),
    connections.note_robot: lambda aim: connections.note_robot(aim.client(), ROBOT, aim.dialect()),
    connections.note_session: lambda aim: connections.note_session(
        aim.client(), aim.noted(), aim.dialect()
    ),
    connections.watch: lambda aim: connections.watch(aim.client(), "ann"),
    connections.unwatch: lambda _: connections.unwatch(),
    connections.forget_session: lambda aim: connections.forget_session(aim.noted()),
}
"""How to draw each write to a connection's row."""

CODE_WRITES: dict[Callable[..., Write], Callable[[Aim], Write]] = {
    codes.create: lambda aim: codes.create(aim.code()),
    codes.take_use: lambda aim: codes.take_use(ROBOT, aim.taker_kid(), aim.code(), NOW),
    codes.complete_use: lambda aim: codes.complete_use(ROBOT, aim.taker_kid()),
}
"""How to draw each write to a code's item."""


TRIES = 25


@st.composite
def robot_cases(draw: DrawFn, write: Callable[..., Write]) -> tuple[dict[str, Any] | None, Write]:
    """Draw an item and a write of this kind that meets it: about as often won as lost."""
    wanted = draw(st.booleans())
    watching = 1 if write.__module__ == viewers.__name__ or write is lease.grant else 0
    for _ in range(TRIES):
        item = draw(items(watching))
        made = ROBOT_WRITES[write](Aim(draw, item))
        if evaluate(made.when, item or {}) == wanted:
            break
    return item, made


@st.composite
def row_cases(draw: DrawFn, write: Callable[..., Write]) -> tuple[Connection | None, Write]:
    """Draw a row and a write of this kind that may meet it."""
    noted = frozenset(draw(st.just([]) | st.lists(session_ids, max_size=2)))
    robot_id = draw(st.sampled_from([None, None, ROBOT, RobotId("other")]))
    watcher = draw(st.sampled_from([None, "ann", "#admins"]))
    rows_drawn = connection_rows(robot_id=robot_id, sessions=noted, watcher_user_id=watcher)
    row = draw(rows_drawn) if draw(often) else None
    return row, ROW_WRITES[write](
        Aim(draw, None if row is None else connections.connection_item(row))
    )


@st.composite
def code_cases(draw: DrawFn, write: Callable[..., Write]) -> tuple[dict[str, Any] | None, Write]:
    """Draw a code's item, or none, and a write of this kind that may meet it."""
    code = draw(drawn_codes()) if draw(often) else None
    item = None if code is None else {"takers": {}} | msgspec.to_builtins(code)
    return item, CODE_WRITES[write](Aim(draw, item))
