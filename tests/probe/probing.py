"""Runs the probe for tests."""

from pathlib import Path

from robosignal.probe.probe import Target, probe
from robosignal.probe.report import Failure, Report
from tests.probe.deployment import Deployment, deployed
from tests.tokens import signer

TOKEN = signer().access()

PATIENCE = 10
SHORT = 0.5
"""For deployments that stay silent: so long the probe waits in vain."""


async def probed(
    url: str,
    token: str = TOKEN,
    *,
    robot_token: str | None = None,
    count: int = 1,
    seconds: float = PATIENCE,
) -> Report:
    """Return what the probe finds."""
    target = Target(url, token, robot_token or token, seconds)
    return await probe(target, count, lambda *_: None)


async def failed(deployment: Deployment, web: Path, seconds: float = PATIENCE) -> Failure:
    """Return the failure that the probe finds in a deployment."""
    async with deployed(deployment, web) as url:
        report = await probed(url, seconds=seconds)
    assert report.failure is not None
    return report.failure
