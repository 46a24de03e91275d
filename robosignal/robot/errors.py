"""Why a robot ended although it was not told to: each reason is a class with its own fields."""

from robosignal.robot.connection.token_policy import Reason


class RobotError(Exception):
    """The robot has ended, because going on would be of no use.

    The motors have been stopped. `robot_id` is the robot's id, and `text`, which is the
    exception's text, says what to do next.
    """

    def __init__(self, robot_id: str, text: str) -> None:
        super().__init__(text)
        self.robot_id = robot_id


class TokenRejected(RobotError):
    """The server takes no token of this robot's, and there is no connection left.

    `reason` is `"never-accepted"` if the first one was refused, `"expired"` if an accepted one has
    ended and no other can be asked for, and `"refused"` if the server has refused for
    `refused_seconds` what it accepted before.
    """

    def __init__(self, robot_id: str, reason: Reason, refused_seconds: float = 0.0) -> None:
        sentences = {
            "never-accepted": "the token is refused or expired",
            "expired": "the token has expired",
            "refused": "the token was accepted before, and has been refused "
            f"for {refused_seconds:.0f} s now",
        }
        super().__init__(robot_id, f"{sentences[reason]}: sign in again for a new one")
        self.reason = reason
        self.refused_seconds = refused_seconds


class RegistrationRefused(RobotError):
    """The server does not register this robot.

    `code` is the server's error code, such as `owned_by_another`, `forbidden` or `unauthorized`.
    """

    def __init__(self, robot_id: str, code: str, text: str) -> None:
        super().__init__(robot_id, text)
        self.code = code


class RobotReplaced(RobotError):
    """Another device has registered the same robot id: stop one of them, or rename it."""
