"""What the probe's report shows, to people and to programs."""

import json
from pathlib import Path

from robosignal.probe.advice import POSTS
from robosignal.probe.report import format_json, format_text
from robosignal.probe.steps import STEPS
from tests.probe.deployment import Deployment, answering, deployed
from tests.probe.probing import SHORT, TOKEN, probed


async def test_no_report_shows_a_token(tmp_path: Path) -> None:
    """Neither the argument's, nor one in the URL, nor whose it is."""
    async with deployed(Deployment(connect=answering(401)), tmp_path) as url:
        report = await probed(f"{url}?token={TOKEN}")

    for shown in (format_text(report), format_json(report)):
        assert TOKEN not in shown
        assert TOKEN.split(".")[2] not in shown
        assert "3f2a-user" not in shown


async def test_json_tells_what_the_table_tells(tmp_path: Path) -> None:
    """For programs: each step's p50 and p95, the failure, and what is left."""
    async with deployed(Deployment(lost=("answer",)), tmp_path) as url:
        report = await probed(url, seconds=SHORT)
    found = json.loads(format_json(report))

    assert (found["url"], found["ok"], found["rounds"]) == (url, False, 0)
    assert [each["step"] for each in found["steps"]] == list(STEPS)[: list(STEPS).index("answer")]
    assert all(0 < each["p50Ms"] <= each["p95Ms"] for each in found["steps"])
    assert found["failure"]["step"] == "answer"
    assert found["failure"]["check"] == list(POSTS)
    assert found["leftBehind"] is None
