"""Makes one machine as unkind as a cloud: invocations overlap, and pause between any two steps.

For whoever wants to see a client survive it. The rules must not notice: every write that they
rely on is conditional.
"""

import threading
import time
from random import Random
from typing import Any

from robosignal.server.core.steps import Action
from robosignal.server.executor import Execute, Hook

LONGEST_PAUSE_SECONDS = 0.05


def chaos(seed: int) -> Hook:
    """Return what pauses for up to 50 ms before each step, by random numbers from this seed.

    A step itself stays whole, as a call to DynamoDB does: the local store is used by one
    thread at a time.
    """
    random, one_at_a_time = Random(seed), threading.Lock()  # noqa: S311 - no secret is drawn

    def hook(execute: Execute) -> Execute:
        def execute_later(action: Action) -> Any:
            with one_at_a_time:
                pause = random.uniform(0, LONGEST_PAUSE_SECONDS)
            time.sleep(pause)
            with one_at_a_time:
                return execute(action)

        return execute_later

    return hook
