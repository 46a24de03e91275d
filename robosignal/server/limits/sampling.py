"""Limits log lines that strangers can cause: a few each second, then one that counts the rest."""

import logging
from collections import Counter
from threading import Lock

EXAMPLES = 3

KINDS = 100
"""How many distinct examples are counted within a second; the rest counts as `others`."""


class SampledLog:
    """Writes one kind of line at INFO: the first lines of each second; the others are counted.

    The first call in a later second, `flush` included, writes `SENTENCE: more of them`, with
    `count`, and the most frequent ones as `examples`.
    """

    def __init__(self, log: logging.Logger, sentence: str, per_second: int = 1) -> None:
        self._log = log
        self._sentence = sentence
        self._per_second = per_second
        self._second = -1
        self._written = 0
        self._more: Counter[str] = Counter()
        self._lock = Lock()

    def write(self, now: int, example: str, **beside: str | None) -> None:
        """Write a line at `now` (epoch ms) with these fields, or count it under this example."""
        self.flush(now)
        with self._lock:
            if self._written >= self._per_second:
                known = example in self._more or len(self._more) < KINDS
                self._more[example if known else "others"] += 1
                return
            self._written += 1
        self._log.info(self._sentence, extra=beside)

    def flush(self, now: int) -> None:
        """Write what was counted in an earlier second than that of `now` (epoch ms)."""
        second = now // 1000
        if second == self._second:
            return
        with self._lock:
            more, self._more = self._more, Counter()
            self._second, self._written = second, 0
        if more:
            found = ", ".join(f"{example} ({n})" for example, n in more.most_common(EXAMPLES))
            counted = {"count": more.total(), "examples": found}
            self._log.info("%s: more of them", self._sentence, extra=counted)
