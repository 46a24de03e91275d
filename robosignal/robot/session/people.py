"""Who drives and who watches, as the robot's own program is told."""

from dataclasses import dataclass

from robosignal.protocol.frames import Person
from robosignal.protocol.ids import UserId
from robosignal.robot.session.state import RobotState

UNKNOWN = Person(user_id=UserId(""), name="somebody")
"""Who drives, before the server has told the robot their id and name."""


@dataclass(frozen=True, slots=True)
class People:
    """`driver` is None if no one drives, or if the driver's right has ended.

    `is_free` is whether the robot knows that no one holds the lease, so that its own program may
    move it: a right that has ended may be renewed, and its driver goes on.
    """

    driver: Person | None = None
    epoch: int = 0
    viewers: tuple[Person, ...] = ()
    is_free: bool = False


def find_people(state: RobotState) -> People:
    """Return who drives, at which epoch, and who else has a peer connection."""
    holder = state.control.fence.holder
    right = None if holder is None else state.rights.get(holder)
    peer = None if holder is None else state.peers.get(holder)
    driver = None
    if holder is not None and not (right is not None and right.has_ended):
        driver = state.control.person or (peer.person if peer else None) or UNKNOWN
    viewers = tuple(
        each.person or UNKNOWN
        for session, each in state.peers.items()
        if session != holder and not each.failed
    )
    epoch = state.control.fence.epoch
    return People(driver, epoch, viewers, is_free=holder is None and epoch > 0)
