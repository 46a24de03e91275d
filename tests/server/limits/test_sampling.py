"""Lines that strangers can cause: a bounded number a second, and none goes uncounted."""

import logging
import re

import pytest

from robosignal.server.limits.sampling import KINDS, SampledLog

LOG = logging.getLogger("tests.sampling")
NOW = 1_800_000_000_000


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOG.name)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str | None, int | None]]:
    """Return what was logged: sentence, code, count."""
    found = [(each.message, vars(each)) for each in caplog.records]
    return [(message, fields.get("code"), fields.get("count")) for message, fields in found]


def test_one_line_now_and_then_is_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    """With its fields, and nothing beside it."""
    sampled = SampledLog(LOG, "refused")
    for second in range(3):
        sampled.write(NOW + 1000 * second, "a", code="a")

    assert lines(caplog) == [("refused", "a", None)] * 3


def test_the_others_of_a_second_are_counted_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Three thousand a second are two lines a second, with the commonest as examples."""
    sampled = SampledLog(LOG, "refused")
    for second in range(5):
        for number in range(3000):
            example = "ab"[number % 3 == 0]
            sampled.write(NOW + 1000 * second + number // 3, example, code=example)
    sampled.flush(NOW + 5000)

    assert lines(caplog) == [("refused", "b", None), ("refused: more of them", None, 2999)] * 5
    assert vars(caplog.records[1])["examples"] == "a (2000), b (999)"


def test_so_many_a_second_are_written_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    """The next is counted."""
    sampled = SampledLog(LOG, "refused", per_second=10)
    for _ in range(11):
        sampled.write(NOW, "a", code="a")
    sampled.flush(NOW + 999)
    counted = len(caplog.records)
    sampled.flush(NOW - 1000)

    assert (counted, lines(caplog)[-1]) == (10, ("refused: more of them", None, 1))


def test_examples_that_strangers_name_are_bounded() -> None:
    """An origin may be one: those over the bound are counted together."""
    sampled = SampledLog(LOG, "refused")
    for number in range(10_000):
        sampled.write(NOW, f"origin {number}")

    assert len(sampled._more) == KINDS + 1  # noqa: SLF001 - no line tells
    assert sampled._more["others"] == 10_000 - 1 - KINDS  # noqa: SLF001


def test_examples_are_few(caplog: pytest.LogCaptureFixture) -> None:
    """However many kinds there were."""
    sampled = SampledLog(LOG, "refused")
    for number in range(100):
        sampled.write(NOW, f"kind {number}")
    sampled.flush(NOW + 1000)

    assert len(re.findall("kind", vars(caplog.records[-1])["examples"])) == 3
