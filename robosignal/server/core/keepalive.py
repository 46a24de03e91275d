"""Keeps the connections of seed robots and pages from idling out, since those never ping.

Runs on a schedule, over the whole fleet, and renews nothing: what a seed connection has lasts as
long as its socket and token.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from robosignal.protocol.messages import Role
from robosignal.protocol.seed import PageKeepalive, RobotKeepalive
from robosignal.server.core.delivery import find_delivery, hand_over, loss_write
from robosignal.server.core.directory import FLEET
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.steps import (
    Close,
    Delivery,
    Flow,
    ListFleet,
    Page,
    Post,
    ReadRobots,
    WriteRobot,
    attempt_all,
    perform_all,
)
from robosignal.server.core.writes import presence

ROBOTS_PER_SHARD = 100
"""Robots in one page, as many as one BatchGetItem reads."""

ROUNDS = 8
"""How many pages of each shard one run reads: 6,400 robots, within the function's timeout."""

LOSSES_PER_RUN = 8
"""How many lost connections one run records, because watchers are notified of each change.

The next run finds the others again.
"""


class Kept(Struct, frozen=True):
    """A run's result: how many connections got a frame, and whether all robots were read."""

    connections: int
    complete: bool


class Idle(Struct, frozen=True):
    """One end that speaks seed: a robot, or a client's session with it."""

    robot: Robot
    session: Session | None = None
    role: Role = "controller"

    def step(self, now: int) -> Post | Close:
        """Return the step that posts a frame to ignore, or closes an expired connection."""
        robot_id = self.robot.robot_id
        if self.session is None:
            return hand_over(self.robot, RobotKeepalive(robot_id=robot_id, to=robot_id), now)
        return hand_over(self.session, PageKeepalive(robot_id=robot_id), now)

    def loss_steps(self, now: int) -> Iterator[WriteRobot]:
        """Yield the write that records the loss of its connection."""
        if self.session is not None:
            yield WriteRobot(self.robot.robot_id, loss_write(self.session, self.role, now))
        elif self.robot.connection_id is not None:
            yield WriteRobot(self.robot.robot_id, presence.record_loss(self.robot.connection_id))


def keep_alive(now: int) -> Flow[Kept]:
    """Post a frame to each seed robot that is online and each seed client in a session.

    `now` is in epoch ms. Raise TryAgain if AWS is too busy to list or read the fleet.
    """
    after: dict[str, str | None] = dict.fromkeys(FLEET)
    kept, losses = 0, LOSSES_PER_RUN
    for _ in range(ROUNDS):
        asked = [ListFleet(shard, start, ROBOTS_PER_SHARD) for shard, start in after.items()]
        pages: tuple[Page, ...] = yield from perform_all(asked)
        found = yield from perform_all(ReadRobots(one.robot_ids) for one in pages if one.robot_ids)
        idle = list(_find_idle((robot for some in found for robot in some), now))
        posts = [each.step(now) for each in idle]
        outcomes = yield from attempt_all(posts)
        deliveries = [find_delivery(*each) for each in zip(posts, outcomes, strict=True)]
        kept += deliveries.count(Delivery.SENT)
        ended = zip(idle, deliveries, strict=True)
        gone = [each for each, delivery in ended if delivery.is_connection_lost]
        lost = [step for each in gone for step in each.loss_steps(now)][:losses]
        losses -= len(lost)
        yield from attempt_all(lost)
        after = {shard: to.after for shard, to in zip(after, pages, strict=True) if to.after}
        if not after:
            return Kept(kept, complete=True)
    return Kept(kept, complete=False)


def _find_idle(robots: Iterable[Robot], now: int) -> Iterator[Idle]:
    for robot in robots:
        if robot.dialect == "seed" and robot.is_online(now):
            yield Idle(robot)
        for session, role in robot.sessions():
            if session.dialect == "seed" and session.lost is None and session.until >= now:
                yield Idle(robot, session, role)
