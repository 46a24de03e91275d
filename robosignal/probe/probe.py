"""Probes a deployment: rounds of a robot and a client who meet, up to the first that fails.

Owns the rounds; must never know how a step is carried out, or how a report looks.
"""

import time
from collections.abc import Callable

from robosignal.probe.advice import advise
from robosignal.probe.laps import Laps, StepFailed
from robosignal.probe.play import ROBOT, Target, fresh_guest, play
from robosignal.probe.report import Failure, Report

Tell = Callable[[int, str], None]
"""Told of each step that begins, with the number of its round."""


async def probe(target: Target, count: int, tell: Tell) -> Report:
    """Run `count` rounds one after the other, and return what was found. Raises nothing."""
    guest = fresh_guest()
    laps = Laps(lambda step: tell(done + 1, step))
    failure: Failure | None = None
    done = 0
    while done < count and failure is None:
        try:
            await play(target, guest, laps)
            done += 1
        except StepFailed as failed:
            failure = _failure(failed, target, done + 1)
    return Report(
        url=target.url,
        rounds=done,
        times=laps.times,
        failure=failure,
        left_behind=guest.robot_id if guest.is_left else None,
    )


def _failure(failed: StepFailed, target: Target, number: int) -> Failure:
    token = target.robot_token if failed.who == ROBOT else target.client_token
    return Failure(
        step=failed.step,
        who=failed.who,
        round=number,
        seen=str(failed.trouble),
        check=advise(failed, token, int(time.time())),
    )
