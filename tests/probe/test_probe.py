"""The probe against the whole local backend: what it measures, tells and cleans up."""

import asyncio
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from robosignal.probe.command import add_arguments, run
from robosignal.probe.probe import Target, probe
from robosignal.probe.report import format_text
from robosignal.probe.steps import STEPS
from robosignal.testing import LocalBackend
from tests.probe.deployment import Deployment, answering, deployed, selecting
from tests.probe.probing import PATIENCE, SHORT, probed


async def test_a_good_deployment_goes_through(backend: LocalBackend) -> None:
    """Every step has its time in every round; both ends connect and are welcomed."""
    report = await probed(backend.url, backend.token("ann"), count=3)

    assert (report.rounds, report.failure) == (3, None)
    counts = {step: len(times) for step, times in report.times.items()}
    assert counts == {**dict.fromkeys(STEPS, 3), "connect": 6, "welcome": 6}
    assert all(time > 0 for times in report.times.values() for time in times)


async def test_a_probe_that_goes_through_is_exit_code_0(backend: LocalBackend) -> None:
    """As a shell runs it."""
    parser = ArgumentParser()
    add_arguments(parser)
    given = [backend.url, "--token", backend.token("ann"), "--json"]
    said: list[str] = []
    code = await asyncio.to_thread(run, parser.parse_args(given), said.append)

    assert code == 0
    assert json.loads(said[0])["ok"] is True


async def test_the_rounds_are_told_step_by_step(backend: LocalBackend) -> None:
    """The callback learns which step of which round is under way."""
    told: list[tuple[int, str]] = []
    token = backend.token("ann")
    target = Target(backend.url, token, token, PATIENCE)
    await probe(target, 2, lambda number, step: told.append((number, step)))

    order = ["resolve", "connect", "welcome", "connect", "welcome"]
    order += ["register", "offer", "answer", "candidate", "bye"]
    assert told == [(number, step) for number in (1, 2) for step in order]


async def test_an_admin_may_be_the_client_of_anothers_robot(backend: LocalBackend) -> None:
    """Two tokens, two users: the client's right to drive is the deployment's business."""
    report = await probed(
        backend.url,
        backend.token("boss", groups=["ADMINS"]),
        robot_token=backend.token("ann"),
    )

    assert report.failure is None


async def test_a_client_who_may_not_drive_is_pointed_to_the_tokens(backend: LocalBackend) -> None:
    """The offer is refused, and the robot is cleaned up nevertheless."""
    report = await probed(backend.url, backend.token("eve"), robot_token=backend.token("ann"))

    assert report.failure is not None
    assert (report.failure.step, report.failure.who) == ("offer", "client")
    assert report.failure.seen.startswith("forbidden: ")
    assert "the two tokens" in report.failure.check[0]


async def test_a_deployment_that_forgets_is_left_as_it_was(tmp_path: Path) -> None:
    """The robot unregisters and is forgotten, after each round."""
    deployment = Deployment()
    async with deployed(deployment, tmp_path) as url:
        report = await probed(url, count=2)

    assert (report.rounds, report.failure, report.left_behind) == (2, None, None)
    assert deployment.heard.count("forget") == 2
    assert deployment.heard[-2:] == ["unregister", "forget"]


async def test_what_a_deployment_cannot_forget_is_named(tmp_path: Path) -> None:
    """`forget` is no message there: the robot's item stays, which is no failure."""
    deployment = Deployment(refused={"forget": "unknown_type"})
    async with deployed(deployment, tmp_path) as url:
        report = await probed(url)

    assert report.failure is None
    assert report.left_behind is not None
    assert report.left_behind.startswith("probe-")
    assert f"left behind: the item of {report.left_behind}" in format_text(report)


async def test_a_failed_round_is_cleaned_up_as_well(tmp_path: Path) -> None:
    """No probe's robot is online afterwards."""
    deployment = Deployment(refused={"answer": "peer_gone"})
    async with deployed(deployment, tmp_path) as url:
        report = await probed(url)

    assert deployment.heard[-2:] == ["unregister", "forget"]
    assert report.left_behind is None


async def test_a_refused_robot_leaves_nothing(tmp_path: Path) -> None:
    """What was not registered need not be forgotten; the advice names the claim policy."""
    deployment = Deployment(refused={"register": "forbidden"})
    async with deployed(deployment, tmp_path) as url:
        report = await probed(url)

    assert "forget" not in deployment.heard
    assert report.left_behind is None
    assert report.failure is not None
    assert "CLAIM_POLICY" in report.failure.check[0]


async def test_a_robot_whose_registration_was_not_answered_may_be_left(tmp_path: Path) -> None:
    """It may have been carried out."""
    async with deployed(Deployment(unanswered=("register",)), tmp_path) as url:
        report = await probed(url, seconds=SHORT)

    assert report.left_behind is not None


async def test_a_later_round_that_fails_keeps_the_earlier_times(tmp_path: Path) -> None:
    """What went through was measured."""

    def once(event: dict[str, Any]) -> dict[str, Any]:
        let_in = "forget" not in flaky.heard
        return selecting("robosignal.v1")(event) if let_in else answering(429)(event)

    flaky = Deployment(connect=once)
    async with deployed(flaky, tmp_path) as url:
        report = await probed(url, count=3)

    assert report.failure is not None
    assert (report.rounds, report.failure.round, report.failure.step) == (1, 2, "connect")
    assert len(report.times["bye"]) == 1
