"""Why a call of an operator's failed."""

from collections.abc import Mapping
from typing import Any

from robosignal.protocol.frames import Person


class OperatorError(Exception):
    """A call failed. `code` says why, and `text`, which is the exception's text, what to do.

    `code` is one of the protocol's (docs/reference/errors.md), or `timeout`: no answer in time;
    `offline`: the connection was lost before the answer, or there was none in time; `no_session`:
    the session has ended; `closed`: the operator's block has ended. `robot_id` is the robot's id,
    None for a call that concerns no robot. With `robot_busy`, `driver` is who drives, and `is_you`
    whether that is the same user over another connection.
    """

    def __init__(
        self,
        code: str,
        text: str,
        robot_id: str | None = None,
        driver: Person | None = None,
        *,
        is_you: bool = False,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.robot_id = robot_id
        self.driver = driver
        self.is_you = is_you


def read_error(frame: Mapping[str, Any]) -> OperatorError:
    """Return the error that an error frame of the server's tells."""
    return OperatorError(
        str(frame.get("code")),
        str(frame.get("message")),
        frame.get("robotId"),
        read_person(frame.get("controlledBy")),
        is_you=bool(frame.get("you")),
    )


def read_person(found: object) -> Person | None:
    """Return the person in a frame; None if there is none."""
    if not isinstance(found, dict) or not isinstance(found.get("userId"), str):
        return None
    name = found.get("name")
    return Person(found["userId"], name if isinstance(name, str) else None)
