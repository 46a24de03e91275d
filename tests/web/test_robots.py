"""The robots under `examples/`, driven in a real browser: what moves, and what people are told."""

import asyncio
import importlib.util
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from playwright.async_api import Browser, Page, expect

from robosignal.robot import Command
from robosignal.testing import LocalBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).parents[2] / "examples"
OWNER, VIEWER = "olga", "vera"
WAIT_S = 20

# The module without the console: `window.session` drives or views the robot.
JOIN = """async ([url, token, robotId, how]) => {
  const { connect } = await import(new URL("../robosignal/index.js", location));
  const signal = connect({ url, token });
  await new Promise((done) => signal.on("state", (state) => state === "online" && done()));
  window.session = await signal[how](robotId);
  window.heard = [];
  session.on("telemetry", (values) => window.heard.push([performance.now(), values]));
}"""
CAN_MOVE = "() => session.view.state === 'live' && session.view.blocked === null"


def load(name: str) -> ModuleType:
    """Return an example as a module."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a figure, and keep it with the test's result."""

    def say(text: str) -> None:
        print(text)  # noqa: T201 - a figure to read with -s
        record_property("figure", text)

    return say


@asynccontextmanager
async def online(backend: LocalBackend, robot_id: str, running: Any) -> AsyncIterator[None]:
    """Have a robot's program run until left."""
    task = asyncio.ensure_future(running)
    try:
        async with backend.connect(OWNER) as client:
            await client.wait_until_online(robot_id)
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def join(page: Page, backend: LocalBackend, robot_id: str, how: str, user: str) -> None:
    """Have a page drive or view a robot by the module alone."""
    groups = ["ADMINS"] if user == VIEWER else []
    await page.goto(backend.page_url)
    await page.evaluate(JOIN, [backend.url, backend.token(user, groups), robot_id, how])


async def open_console(page: Page, backend: LocalBackend, robot_id: str) -> None:
    """Have the owner drive the robot from the console."""
    await page.goto(f"{backend.page_url}#token={backend.token(OWNER)}")
    await page.click(f"li[data-robot-id={robot_id}] [data-action=drive]")
    await expect(page.locator("#banner-title")).to_contain_text(f"You drive {robot_id}")
    await expect(page.locator("#controls")).to_have_attribute("data-active", "true")


def p99(values: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(values)[int(len(values) * 0.99)]


# 4 s of a movement in steps of half a degree, at 50 commands a second.
SWEEP = """() => new Promise((done) => {
  let [step, sent] = [0, 0];
  const timer = setInterval(() => {
    step += 1;
    sent += session.command({ joint1: step / 2, joint6: -step / 4 });
    if (step === 200) {
      clearInterval(timer);
      done(sent);
    }
  }, 20);
})"""


async def test_the_arm_takes_fifty_commands_a_second_and_tells_all_what_it_measures(
    page: Page, browser: Browser, report: Callable[[str], None]
) -> None:
    """It follows the movement, holds still after it, and driver and viewer see its telemetry."""
    module = load("arm")
    told: list[tuple[float, Command]] = []

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Arm(module.Arm):  # type: ignore[misc, name-defined]
        def move(self, command: Command) -> None:
            told.append((time.monotonic(), command))
            super().move(command)
            if command.is_stop and command.axes["joint1"] > 0:
                loop.call_soon_threadsafe(stopped.set)

    async with LocalBackend() as backend:
        arm = Arm()
        robot = module.make_robot(backend.url, "arm-1", backend.token(OWNER), arm)
        async with online(backend, "arm-1", module.run(robot, arm)):
            await join(page, backend, "arm-1", "drive", OWNER)
            await page.wait_for_function(CAN_MOVE)
            viewer = await browser.new_page()
            await join(viewer, backend, "arm-1", "view", VIEWER)
            sent = await page.evaluate(SWEEP)
            await asyncio.wait_for(stopped.wait(), WAIT_S)
            await viewer.wait_for_function("() => session.telemetry.joint1 > 90")
            held = await page.evaluate("() => session.held.joint1")
            heard = [await each.evaluate("() => window.heard") for each in (page, viewer)]
            refused = await viewer.evaluate("() => session.command({ joint1: 0 })")
            await viewer.close()
            await page.goto("about:blank")

    moves = [(at, command.axes["joint1"]) for at, command in told if not command.is_stop]
    firsts = [at for n, (at, value) in enumerate(moves) if n == 0 or value != moves[n - 1][1]]
    gaps = [1000 * (after - before) for before, after in pairwise(firsts)]
    report(f"{len(firsts)} of {sent} commands at 50 Hz obeyed; p99 of the gap {p99(gaps):.1f} ms")
    for who, values in zip(("driver", "viewer"), heard, strict=True):
        seconds = (values[-1][0] - values[0][0]) / 1000
        report(f"telemetry at 10 Hz to the {who}: {(len(values) - 1) / seconds:.1f} a second")
    assert sent >= 100
    assert len(firsts) >= sent / 2
    assert told[-1][1].axes["joint1"] == held == pytest.approx(100, abs=10)
    assert refused is False
    assert all(values[-1][1]["current"] == 0.4 for values in heard)


async def test_the_console_moves_a_joint_and_shows_its_angle(page: Page) -> None:
    """A slider for each joint; one that was set goes there, and stays."""
    module = load("arm")
    async with LocalBackend() as backend:
        arm = module.Arm()
        robot = module.make_robot(backend.url, "arm-1", backend.token(OWNER), arm)
        async with online(backend, "arm-1", module.run(robot, arm)):
            await open_console(page, backend, "arm-1")
            sliders = await page.locator("#controls input").count()
            await page.fill("#control-joint2", "17")
            await expect(page.locator("#telemetry-joint2")).to_have_text("17 deg")
            await expect(page.locator("[data-control=joint2] output")).to_have_text("17 deg")
            await expect(page.locator("#pad")).to_be_hidden()
            await page.goto("about:blank")

    assert sliders == 6
    assert arm.angles["joint2"] == 17


async def wait_for(condition: Callable[[], bool]) -> None:
    """Return once this holds of a robot, which its own thread moves."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - the robot tells no one
            await asyncio.sleep(0.01)


async def press(page: Page, selector: str, moves: Callable[[], bool]) -> None:
    """Hold a button until this moves; press again where a busy machine has made it stop."""
    button = page.locator(selector)
    for _ in range(WAIT_S):
        await expect(page.locator("#controls")).to_have_attribute("data-active", "true")
        await button.hover()
        await page.mouse.down()
        try:
            async with asyncio.timeout(1):
                return await wait_for(moves)
        except TimeoutError:
            await page.mouse.up()
    raise AssertionError(f"{selector} moves nothing")


FRAME_SHOWN = """name => new Promise((shown) =>
  document.querySelector(`[data-camera=${name}] video`).requestVideoFrameCallback(() => {
    const { videoWidth, videoHeight } = document.querySelector(`[data-camera=${name}] video`);
    shown([videoWidth, videoHeight]);
  }))"""


def film(path: Path, width: int, height: int) -> str:
    """Film two seconds of grey, in this size, and return the file's name."""
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mpeg4", rate=15)
        stream.width, stream.height = width, height
        for number in range(30):
            planes = np.full((height * 3 // 2, width), 60 + 4 * number, dtype=np.uint8)
            made.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        made.mux(stream.encode())
    return str(path)


async def test_the_rover_shows_two_cameras_and_moves_its_mount(page: Page, tmp_path: Path) -> None:
    """Keys drive it, sliders turn the mount, the gear stays, and the light is on while held."""
    module = load("rover")
    cameras = film(tmp_path / "front.mp4", 320, 240), film(tmp_path / "rear.mp4", 160, 120)
    async with LocalBackend() as backend:
        rover = module.Rover()
        robot = module.make_robot(backend.url, "rover-1", backend.token(OWNER), rover, cameras)
        async with online(backend, "rover-1", robot.run()):
            await open_console(page, backend, "rover-1")
            rear = await page.evaluate(FRAME_SHOWN, "rear")
            front = await page.evaluate("() => document.querySelector('#video').videoWidth")
            await page.fill("#control-pan", "45")
            await expect(page.locator("[data-control=pan] output")).to_have_text("45 deg")
            await page.select_option("#control-gear", "fast")
            await page.wait_for_timeout(500)
            await press(page, "[data-control=light] button", lambda: rover.has_light)
            await page.focus("#video")
            await page.keyboard.down("KeyW")
            await wait_for(lambda: rover.speed == 2.0)
            both = rover.has_light
            await page.mouse.up()
            await page.keyboard.up("KeyW")
            await wait_for(lambda: not rover.speed and not rover.has_light)
            await page.goto("about:blank")

    assert (front, rear) == (320, [160, 120])
    assert both
    assert (rover.pan, rover.top_speed) == (45, 2.0)


# A tone in place of a microphone, once the page was pressed.
TALK = """() => new Promise((done) => {
  const context = new AudioContext();
  const tone = context.createOscillator();
  const out = context.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  const [track] = out.stream.getAudioTracks();
  const timer = setInterval(() => {
    if (!session.talk(track)) return;
    clearInterval(timer);
    done(session.sound?.kind ?? null);
  }, 50);
})"""
ASK_FOR = "(text) => new Promise((done) => session.channel('display').on(text, done))"


async def test_the_cart_plays_the_drivers_voice_and_shows_the_drivers_messages(
    page: Page, browser: Browser
) -> None:
    """Sound goes both ways; a viewer's voice and messages are refused, and answers reach all."""
    module = load("cart")
    async with LocalBackend() as backend:
        cart = module.Cart()
        robot = module.make_robot(backend.url, "cart-1", backend.token(OWNER), cart)
        async with online(backend, "cart-1", robot.run()):
            viewer = await browser.new_page()
            await join(viewer, backend, "cart-1", "view", VIEWER)
            await viewer.wait_for_function("() => session.sound !== null")
            may_talk = await viewer.evaluate(
                "() => session.talk(new AudioContext().createMediaStreamDestination()"
                ".stream.getAudioTracks()[0])"
            )
            await join(page, backend, "cart-1", "drive", OWNER)
            await page.click("body")
            sound = await page.evaluate(TALK)
            await wait_for(lambda: cart.heard > 48_000 // 2)
            refused = asyncio.ensure_future(viewer.evaluate(ASK_FOR, "refused"))
            await viewer.evaluate("() => session.publish('display', 'from a viewer')")
            await asyncio.wait_for(refused, WAIT_S)
            shown_of_viewer = cart.shown
            await page.evaluate("() => session.publish('display', 'hello')")
            await wait_for(lambda: cart.shown == "hello")
            answers = [
                asyncio.ensure_future(each.evaluate(ASK_FOR, "message")) for each in (page, viewer)
            ]
            await page.evaluate("1")
            await viewer.evaluate("1")
            robot.send("display", "hi")
            answered = [await asyncio.wait_for(each, WAIT_S) for each in answers]
            driver, epoch = robot.driver, robot.epoch
            await viewer.close()
            await page.goto("about:blank")

    assert may_talk is False
    assert sound == "audio"
    assert shown_of_viewer == ""
    assert answered == ["hi", "hi"]
    assert driver is not None
    assert (driver.user_id, cart.driver) == (OWNER, OWNER)
    assert epoch >= 1


async def test_the_carts_own_button_stops_it_for_everyone(page: Page) -> None:
    """The console says who has stopped it, and only the button lets it go on."""
    module = load("cart")
    async with LocalBackend() as backend:
        cart = module.Cart()
        robot = module.make_robot(backend.url, "cart-1", backend.token(OWNER), cart)
        async with online(backend, "cart-1", robot.run()):
            await page.goto(f"{backend.page_url}#token={backend.token(OWNER)}")
            await page.click("li[data-robot-id=cart-1] [data-action=drive]")
            await expect(page.locator("#pad")).to_have_attribute("data-active", "true")
            await expect(page.locator("#talk")).to_be_visible()
            await page.focus("#video")
            await page.keyboard.down("KeyW")
            await wait_for(lambda: cart.speed == 1.0)
            robot.stop_motion("the cart's button")
            await wait_for(lambda: cart.speed == 0.0)
            await expect(page.locator("#stop")).to_have_attribute(
                "data-stopped", "the cart's button"
            )
            await page.keyboard.up("KeyW")
            robot.clear_stop()
            await expect(page.locator("#stop")).to_have_attribute("data-stopped", "")
            await page.goto("about:blank")
