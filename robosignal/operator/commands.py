"""Drive commands over one peer connection, and what the robot's heartbeats say of them.

A command proves that this program has heard from the robot just now, so the robot obeys none that
comes late (docs/reference/data-channels.md). It is what web/robosignal/commands.js does, but for
the age of the picture, which a program does not look at unless it asks for frames.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from robosignal.operator.channels import (
    REST,
    Capabilities,
    DataChannels,
    Heartbeat,
    Target,
    write,
)
from robosignal.robot.controls import Given
from robosignal.robot.drive import STILL, WATCHDOG_MS, Drive

LOOP_SECONDS = 0.025
"""How often `CommandSender.repeat` is to be called."""

ZERO_MS = 50
EARLIEST_AGAIN_MS = 12
LATEST_AGAIN_MS = 60
DECLARATION_MS = 1_000
DISAGREEMENT_MS = 500
"""A change of driver reaches the robot and this program by different ways."""

COMMANDS_QUEUED_BYTES = 4_096
"""Old robots: a late command is worth nothing, so none waits behind a stalled channel."""

STOPS_QUEUED_BYTES = 8_192
"""The last of those that do wait must be a stop, or the robot obeys a late command for longer."""

Blocked = Literal["undeclared", "stopped", "right-ended", "silent", "unarmed"]
"""Why no motion is sent although a session drives.

`undeclared`: the robot has not yet said how it takes commands, which takes a second at most.
`stopped`: a user or its own program has stopped it. `right-ended`: the user's right to drive has
ended. `silent`: the robot has not been heard for as long as its freshness limit. `unarmed`: it
waits for a zero command, which is sent without being asked for.
"""

Kind = Literal["fresh", "late"]
"""How commands are sent: `late` to a robot that is too old to judge how fresh they are."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether this session drives, as it knows, and at which epoch."""

    is_driver: bool
    epoch: int


@dataclass(frozen=True, slots=True)
class _Press:
    """Commands with motion, each soon after the one before. An interrupted one never goes on."""

    at: float = -math.inf
    was_sent: bool = False
    is_over: bool = False


class CommandSender:
    """Sends the commands of one peer connection.

    `now` returns steady ms, `standing` says who drives as the session knows it, and `refused` is
    told the epoch that the robot obeys instead of ours.
    """

    def __init__(
        self,
        channels: DataChannels,
        now: Callable[[], float],
        standing: Callable[[], Standing],
        refused: Callable[[int], None],
    ) -> None:
        self.capabilities: Capabilities | None = None
        self.stopped_by: str | None = None
        self._channels = channels
        self._now = now
        self._standing = standing
        self._refused = refused
        self._declaration_due = math.inf
        self._heartbeat: Heartbeat | None = None
        self._heard_at = -math.inf
        self._has_right_ended = False
        self._disagrees_since = math.inf
        self._sent_at = -math.inf
        self._drive: tuple[float, Drive] = (-math.inf, STILL)
        self._values: tuple[float, tuple[Given, ...]] = (-math.inf, ())
        self._again: tuple[Target, int] | None = None
        self._press = _Press()

    def open(self) -> None:
        """Note that `control` has opened: a robot that can prove freshness declares itself."""
        self._declaration_due = self._now() + DECLARATION_MS

    @property
    def kind(self) -> Kind | None:
        """How commands are sent; None until that is known. A late declaration counts too."""
        if self.capabilities is not None:
            return "fresh"
        return "late" if self._now() >= self._declaration_due else None

    @property
    def silence_ms(self) -> float:
        """How long the robot has not been heard on `drive`; infinite before the first time."""
        return self._now() - self._heard_at

    @property
    def blocked(self) -> Blocked | None:
        """Why no motion is sent, although this session drives; None also if it does not."""
        if not self._standing().is_driver:
            return None
        if self.kind is None:
            return "undeclared"
        if self.stopped_by is not None:
            return "stopped"
        if self._has_right_ended:
            return "right-ended"
        return None if self.capabilities is None else self._judge_heartbeat(self.capabilities)

    def _judge_heartbeat(self, capabilities: Capabilities) -> Blocked | None:
        if self.silence_ms > capabilities.fresh_ms:
            return "silent"
        is_armed = self._heartbeat is not None and self._heartbeat.armed
        return None if is_armed else "unarmed"

    def hear(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat; they may overtake each other."""
        before = self._heartbeat
        if before is not None and heartbeat.t < before.t:
            return
        self._heartbeat = heartbeat
        self._heard_at = self._now()
        self._judge_right(before, heartbeat)
        self._judge_epoch(before, heartbeat)
        self.update()

    def _judge_right(self, before: Heartbeat | None, heartbeat: Heartbeat) -> None:
        # Zero commands are refused at the right epoch only for want of the right, or for a stop.
        number = None if before is None else before.n
        is_obeyed = heartbeat.driver is not None or heartbeat.n != number
        standing = self._standing()
        if not standing.is_driver or is_obeyed or heartbeat.epoch != standing.epoch:
            self._has_right_ended = False
        elif _is_refused(before, heartbeat) and self.stopped_by is None:
            self._has_right_ended = True

    def _judge_epoch(self, before: Heartbeat | None, heartbeat: Heartbeat) -> None:
        now, standing = self._now(), self._standing()
        if not standing.is_driver or heartbeat.epoch == standing.epoch:
            self._disagrees_since = math.inf
            return
        self._disagrees_since = min(self._disagrees_since, now)
        is_late = now - self._disagrees_since >= DISAGREEMENT_MS
        if _is_refused(before, heartbeat) and is_late:
            self._disagrees_since = now
            self._refused(heartbeat.epoch)

    def send_drive(self, drive: Drive) -> bool:
        """Send a drive, with the values that hold yet. Return whether it was sent."""
        self._drive = (self._now(), drive)
        return self._send()

    def send_values(self, values: tuple[Given, ...]) -> bool:
        """Send values, with the drive that holds yet. Return whether they were sent."""
        self._values = (self._now(), values)
        return self._send()

    def _send(self) -> bool:
        now = self._now()
        target = self._join_asked(now)
        if target.is_rest:
            self._press = _Press()
            return self._write_twice(target)
        is_new = now - self._press.at >= self._watchdog_ms
        self._press = _Press(now) if is_new else replace(self._press, at=now)
        if self.update() is not None or self._press.is_over or not self._write_twice(target):
            return False
        self._press = replace(self._press, was_sent=True)
        return True

    def _join_asked(self, now: float) -> Target:
        (drive_at, drive), (values_at, values) = self._drive, self._values
        return Target(
            drive if now - drive_at < self._watchdog_ms else STILL,
            values if now - values_at < self._watchdog_ms else (),
        )

    def update(self) -> Blocked | None:
        """End a press that something has interrupted: it must not go on by itself afterwards."""
        blocked = self.blocked
        if blocked is not None and self._press.was_sent:
            self._press = replace(self._press, is_over=True)
        return blocked

    def repeat(self) -> None:
        """Send the last command once more, and a zero command when nothing else is sent.

        So the robot has heard from this session, and is ready for its motion.
        """
        blocked = self.update()
        if self.capabilities is None or not self._standing().is_driver:
            return
        now = self._now()
        self._send_again(now)
        is_pressed = now - self._press.at < self._watchdog_ms and not self._press.is_over
        if is_pressed and blocked is None:
            return
        if now - self._sent_at >= ZERO_MS:
            self._write(REST)

    def _send_again(self, now: float) -> None:
        if self._again is None or now - self._sent_at < EARLIEST_AGAIN_MS:
            return
        (target, epoch), self._again = self._again, None
        is_over = not target.is_rest and (self.blocked is not None or self._press.is_over)
        # After an event loop has not run for a while, the command may no longer be meant.
        is_late = now - self._sent_at > LATEST_AGAIN_MS
        if not is_over and not is_late and epoch == self._standing().epoch:
            self._write_fresh(target)

    def stop(self) -> bool:
        """Ask the robot to stop and stay stopped. Return whether it was sent to one that can."""
        self._press = replace(self._press, is_over=True)
        if self.capabilities is None:
            # An old robot knows no other stop.
            if self._standing().is_driver:
                self._write(REST)
            return False
        channels = (self._channels.drive, self._channels.control)
        sent = [write(channel, {"type": "stop"}) for channel in channels]
        return any(sent)

    def clear_stop(self) -> bool:
        """Ask the robot to let itself be driven again. Return whether it was sent."""
        return write(self._channels.control, {"type": "clear-stop"})

    def _write_twice(self, target: Target) -> bool:
        # What was commanded before holds no longer, whether this can be sent or not.
        is_sent = self._write(target)
        self._again = (target, self._standing().epoch) if is_sent else None
        return is_sent

    def _write(self, target: Target) -> bool:
        if self.capabilities is not None:
            return self._write_fresh(target)
        limit = STOPS_QUEUED_BYTES if target.is_rest else COMMANDS_QUEUED_BYTES
        if self.kind is None or self._channels.control.bufferedAmount > limit:
            return False
        return self._channels.send_late_command(target.drive)

    def _write_fresh(self, target: Target) -> bool:
        if self._heartbeat is None:
            return False
        epoch, t = self._standing().epoch, self._heartbeat.t
        if self._channels.send_command(epoch, t, target) is None:
            return False
        self._sent_at = self._now()
        return True

    @property
    def _watchdog_ms(self) -> float:
        return WATCHDOG_MS if self.capabilities is None else self.capabilities.watchdog_ms


def _is_refused(before: Heartbeat | None, heartbeat: Heartbeat) -> bool:
    return before is not None and heartbeat.refused.refused > before.refused.refused
