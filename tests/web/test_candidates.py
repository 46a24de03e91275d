"""A real browser takes a robot's candidates in every shape that the protocol allows."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.web.scripted import Scripted
from tests.web.steps import WAIT_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

VECTORS = Path(__file__).parents[2] / "spec" / "vectors"
SHAPES: list[dict[str, Any]] = json.loads((VECTORS / "candidates.json").read_text())

CONNECTS = """async ({ payload, isEnd }) => {
    const { Peer } = await import("/robosignal/peer.js");
    const { browserEnvironment } = await import("/robosignal/environment.js");
    const bare = (sdp) => sdp.replace(/^a=(candidate:|end-of-candidates).*\\r\\n/gm, "");
    const robot = new RTCPeerConnection();
    const found = [];
    const gathered = new Promise((resolve) => {
        robot.onicecandidate = ({ candidate }) => candidate ? found.push(candidate) : resolve();
    });
    return new Promise((resolve) => {
        const errors = [];
        const dispatch = async ({ type, payload: offer, state }) => {
            if (type === "ice" && state === "connected") resolve(errors);
            if (type !== "local-offer") return;
            await robot.setRemoteDescription({ type: "offer", sdp: bare(offer.sdp) });
            await robot.setLocalDescription();
            const sdp = bare(robot.localDescription.sdp);
            await peer.setRemoteDescription({ type: "answer", sdp });
            await gathered;
            if (isEnd) await peer.addCandidate(payload);
            for (const { candidate, usernameFragment } of found) {
                const shape = JSON.stringify(isEnd ? { candidate: "CANDIDATE" } : payload);
                const text = shape.replace("CANDIDATE", candidate);
                await peer.addCandidate(JSON.parse(text.replace("UFRAG", usernameFragment)));
            }
        };
        const unusable = (count, { message }) => errors.push(message);
        const rest = { report() {}, rtt() {}, stream() {}, message() {}, refused() {} };
        const control = () => ({ isDriver: false, epoch: 0 });
        const listener = { dispatch, unusable, control, screen: () => null, ...rest };
        const peer = new Peer("pc", [], browserEnvironment(), listener);
    });
}"""


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape["name"])
async def test_the_page_connects_by_a_candidate_in_each_shape(
    page: Page, script: Scripted, shape: dict[str, Any]
) -> None:
    """The robot knows no address of the page's: these candidates are the only way to a path.

    An end of candidates that overtakes them does not close that way.
    """
    await page.goto(script.url)
    argument = {"payload": shape["payload"], "isEnd": not shape["means"]["candidate"]}

    assert await asyncio.wait_for(page.evaluate(CONNECTS, argument), WAIT_S) == []
