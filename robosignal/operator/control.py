"""Who drives, as one session knows it from replies and pushes, which overtake each other."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from robosignal.operator.errors import OperatorError, read_person
from robosignal.operator.events import ControlGained, ControlLost, DriverChanged
from robosignal.protocol.frames import Person

Role = Literal["controller", "viewer"]
Frame = Mapping[str, Any]


class Control:
    """A session's role, and who else drives; `emit` is told of each change.

    An epoch below the highest seen is of the past, and changes nothing. Times are of a steady
    clock, in seconds.
    """

    def __init__(self, emit: Callable[[ControlGained | ControlLost | DriverChanged], None]) -> None:
        self.role: Role | None = None
        """What the server has granted; None before its word."""
        self.want: Role = "viewer"
        """The role that the next offer asks for."""
        self.session_id: str | None = None
        self.epoch = 0
        self.driver: Person | None = None
        """Who drives, if it is not this session."""
        self.lost_to: Person | None = None
        """Who took control from this session, until control moves on."""
        self.is_stale = True
        """Whether it is unknown who drives."""
        self._emit = emit
        self._driver_id: str | None = None
        self._heard_at = -math.inf
        self._was_evicted = False

    @property
    def is_driver(self) -> bool:
        """Whether this session drives."""
        return self.role == "controller"

    def adopt_ack(self, ack: Frame, as_of: int, asked: Role) -> None:
        """Take over what a reply says, unless a push has overtaken it: that is newer.

        `as_of` is the epoch that was the highest seen when the server was asked, for the role
        `asked`. Any other lower epoch is that of a robot that was forgotten, and counts from 1
        again.
        """
        epoch = ack.get("epoch", self.epoch)
        self.session_id = ack.get("sessionId") or self.session_id
        is_late = not self._was_evicted and as_of <= epoch < self.epoch
        self._was_evicted = False
        role: Role = ack.get("role") or asked
        if is_late:
            epoch = self.epoch
            role = "controller" if self._driver_id == self.session_id else "viewer"
        self._adopt(role, epoch, self.driver, self.lost_to, is_known=not self.is_stale)

    def adopt_pong(self, pong: Frame) -> None:
        """Take over what the reply to a renewal says, in case a frame before it was lost."""
        role, epoch = pong.get("role"), pong.get("epoch")
        if role is None or epoch is None or pong.get("sessionId") != self.session_id:
            return
        if epoch > self.epoch or (epoch == self.epoch and role != self.role):
            self._adopt(role, epoch, None, None, is_known=False)

    def adopt_listing(self, row: Frame, asked_at: float) -> None:
        """Take over who drives by a listing that was asked for then, unless a push is newer."""
        if self.role != "viewer" or asked_at < self._heard_at:
            return
        driver = read_person(row.get("controlledBy"))
        lost_to = self.lost_to if self.lost_to == driver else None
        want = self.want
        self._adopt("viewer", self.epoch, driver, lost_to, is_known=True)
        # Who drives is no answer to a call that wants to.
        self.want = want

    def hear_control(self, frame: Frame, now: float) -> None:
        """Take the push `control`: who drives from now on."""
        epoch = frame.get("epoch", 0)
        if epoch < self.epoch:
            return
        self._driver_id, self._heard_at = frame.get("sessionId"), now
        if self._driver_id is not None and self._driver_id == self.session_id:
            self._adopt("controller", epoch, None, None, is_known=True)
            return
        driver = read_person(frame.get("person"))
        is_taken = self.is_driver or self.lost_to == driver
        self._adopt("viewer", epoch, driver, driver if is_taken else None, is_known=True)

    def hear_lost(self, frame: Frame, now: float) -> bool:
        """Take the push `control-lost`. Return whether it ends this session at the server."""
        epoch = frame.get("epoch", 0)
        if epoch < self.epoch or self.session_id not in (None, frame.get("sessionId")):
            return False
        by = read_person(frame.get("by"))
        self._driver_id, self._heard_at, self.session_id = None, now, None
        self._adopt("viewer", epoch, by, by, is_known=True)
        return True

    def hear_left(self, frame: Frame, now: float) -> bool:
        """Take the push `peer-left`. Return whether it ends this session at the server."""
        if self.session_id is None or frame.get("sessionId") != self.session_id:
            return False
        self._was_evicted = frame.get("reason") == "evicted"
        # A robot that was forgotten counts its epochs from 1 again.
        epoch = 0 if self._was_evicted else max(self.epoch, frame.get("epoch") or 0)
        want, self._driver_id, self._heard_at, self.session_id = self.want, None, now, None
        self._adopt("viewer", epoch, None, None, is_known=False)
        # The session drives again once the robot is back, unless another user drives by then.
        self.want = want
        return True

    def give_up(self, ack: Frame, session_id: str | None) -> None:
        """Take the reply to a release, or to a grant to the session of that id."""
        epoch = ack.get("epoch", self.epoch)
        if epoch >= self.epoch:
            self._driver_id = session_id
            self._adopt("viewer", epoch, None, None, is_known=session_id is None)

    def view_instead(self, busy: OperatorError) -> None:
        """Take the refusal of an offer to drive: another session does, and this one views."""
        lost_to = busy.driver if self.is_driver and not busy.is_you else self.lost_to
        self._adopt("viewer", self.epoch, busy.driver, lost_to, is_known=True)

    def end(self) -> None:
        """Take note that there is no session any more."""
        self.role, self.session_id = None, None

    def _adopt(
        self,
        role: Role,
        epoch: int,
        driver: Person | None,
        lost_to: Person | None,
        *,
        is_known: bool,
    ) -> None:
        was_driver, is_driver = self.is_driver, role == "controller"
        has_changed = driver != self.driver
        self.role, self.epoch, self.want = role, epoch, role
        self.driver = None if is_driver else driver
        self.lost_to = None if is_driver else lost_to
        self.is_stale = not (is_known or is_driver)
        if is_driver:
            self._driver_id = self.session_id
        if is_driver and not was_driver:
            self._emit(ControlGained(epoch))
        elif was_driver and not is_driver:
            self._emit(ControlLost(lost_to, epoch))
        elif has_changed and not is_driver:
            self._emit(DriverChanged(driver, epoch))
