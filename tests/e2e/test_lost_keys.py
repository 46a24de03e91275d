"""A key whose release the page never hears of: a real robot, a real browser, real WebRTC.

The keys are told to the browser as the systems tell them; the windows, tabs, dialogs and processes
are its own.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import pytest

from robosignal.robot import Robot as RobotClient
from robosignal.robot.drive import STILL, Drive
from tests.browser import require_browser
from tests.e2e.chromium import Chromium, Page
from tests.e2e.conftest import Site

ROBOT = "rover-1"
OWNER = "olga"
ADMIN = "boss"
PATIENCE_SECONDS = 30
COMMANDS_IN_WATCHDOG = 10
"""A page sends one each 50 ms, and the robot stops 500 ms after the last one."""

KEYS = {
    "KeyW": ("w", 87),
    "KeyS": ("s", 83),
    "KeyD": ("d", 68),
    "ArrowUp": ("ArrowUp", 38),
    "AltLeft": ("Alt", 18),
    "MetaLeft": ("Meta", 91),
    "ControlLeft": ("Control", 17),
    "Tab": ("Tab", 9),
    "Escape": ("Escape", 27),
}
MODIFIERS = {"AltLeft": 1, "ControlLeft": 2, "MetaLeft": 4}

PAD = "document.querySelector('#pad')"
VIDEO = "document.querySelector('video')"
UNTIL = """condition => new Promise(done => {
    const look = () => condition() ? done(true) : setTimeout(look, 20);
    look();
})"""
TWO_PONGS = """new Promise(done => {
    let heard = 0;
    new MutationObserver(() => (heard += 1) === 2 && done(true)).observe(
        document.querySelector("#panel"), { attributes: true, attributeFilter: ["data-rtt-ms"] });
})"""


@dataclass
class Moves:
    """What the robot's motors were told, and when."""

    drives: list[Drive] = field(default_factory=list)
    stopped_at: float = 0
    """By the monotonic clock, in seconds: when it was last told to be still."""
    _told: threading.Condition = field(default_factory=threading.Condition)

    def note(self, drive: Drive) -> None:
        """Be the robot's `move`."""
        with self._told:
            self.drives.append(drive)
            if drive == STILL:
                self.stopped_at = time.monotonic()
            self._told.notify_all()

    def _wait(self, what: str, is_so: Callable[[], bool]) -> None:
        with self._told:
            assert self._told.wait_for(is_so, PATIENCE_SECONDS), f"never {what}: {self.drives[-5:]}"

    def wait_for(self, drive: Drive) -> None:
        """Wait until the robot is told so after all that it was told before."""
        begun = len(self.drives)
        self._wait(str(drive), lambda: drive in self.drives[begun:])

    def wait_to_move(self) -> None:
        """Wait until it is told to move, whereto ever."""
        begun = len(self.drives)
        self._wait("moves", lambda: any(drive != STILL for drive in self.drives[begun:]))

    def wait_for_rest(self) -> None:
        """Wait until the last that the robot was told is to be still."""
        self._wait("still", lambda: not self.drives or self.drives[-1] == STILL)

    def motions(self) -> int:
        """Return how often it was told to move."""
        return sum(drive != STILL for drive in self.drives)


class Robot:
    """A robot on a thread of its own."""

    def __init__(self, site: Site, moves: Moves) -> None:
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        client = RobotClient(
            site.websocket_url, ROBOT, token=site.token(OWNER), on_drive=moves.note
        )
        being = client.run(stop=self._stop)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(being,))
        self._thread.start()

    def stop(self) -> None:
        """End it, as SIGTERM does."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()


@dataclass
class Console:
    """The console, driving."""

    page: Page
    moves: Moves
    chromium: Chromium

    def until(self, condition: str) -> None:
        """Wait in the page for a condition."""
        assert self.page.run(f"({UNTIL})(() => {condition})")

    def says(self, words: str) -> None:
        """Wait until the banner says so."""
        self.until(f"document.querySelector('#banner-title').textContent === {words!r}")

    def press(self, action: str) -> None:
        """Press a button without moving the focus, as a finger does."""
        button = f"document.querySelector('[data-action={action}]:enabled')"
        self.until(f"{button} !== null")
        self.page.run(f"{button}.click()")

    def key(self, kind: str, code: str, *, repeats: bool = False) -> None:
        """Tell the browser of a key, as the system does."""
        name, number = KEYS[code]
        self.page.call(
            "Input.dispatchKeyEvent",
            type=kind,
            code=code,
            key=name,
            windowsVirtualKeyCode=number,
            autoRepeat=repeats,
            modifiers=MODIFIERS.get(code, 0) if kind == "rawKeyDown" else 0,
        )

    def down(self, code: str) -> None:
        """Press a key."""
        self.key("rawKeyDown", code)

    def up(self, code: str) -> None:
        """Let a key go."""
        self.key("keyUp", code)

    def place(self, of: str) -> tuple[float, float]:
        """Return where the middle of an element is."""
        middle = "box => [box.x + box.width / 2, box.y + box.height / 2]"
        self.page.run(f"{of}.scrollIntoView({{ block: 'nearest' }})")
        x, y = self.page.run(f"({middle})({of}.getBoundingClientRect())")
        return x, y

    def mouse(self, kind: str, where: tuple[float, float], button: str, buttons: int) -> None:
        """Tell the browser of the mouse; a menu that it opens answers nothing."""
        self.page.order(
            "Input.dispatchMouseEvent",
            type=kind,
            x=where[0],
            y=where[1],
            button=button,
            buttons=buttons,
            clickCount=1,
        )

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Tell the browser of all fingers that touch the screen."""
        touching = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.page.call("Input.dispatchTouchEvent", type=kind, touchPoints=touching)

    def front(self) -> None:
        """Come to the front."""
        self.chromium.call("Target.activateTarget", targetId=self.page.target)

    def renderers(self) -> list[int]:
        """Return the processes that run pages."""
        processes = self.chromium.call("SystemInfo.getProcessInfo")["processInfo"]
        return [each["id"] for each in processes if each["type"] == "renderer"]

    def stays_at_rest(self) -> None:
        """Let the system repeat what is held, and see two round trips: nothing moves."""
        self.moves.wait_for_rest()
        motions = self.moves.motions()
        self.page.run(f"{VIDEO}.focus()")
        for _ in range(3):
            self.key("rawKeyDown", "KeyW", repeats=True)
        self.page.run(TWO_PONGS)

        assert self.moves.motions() == motions

    def wait_until_active(self) -> None:
        """Wait until the page says that a press drives: not yet, just after it was hidden."""
        self.until("document.querySelector('#pad').dataset.active === 'true'")

    def press_ahead(self) -> None:
        """Press W on the video, and wait until the robot moves."""
        self.page.run(f"{VIDEO}.focus()")
        self.wait_until_active()
        self.down("KeyW")
        self.moves.wait_for(Drive(0.0, 1.0))

    def drives_by_a_new_press(self) -> None:
        """Let go, press again, and let go."""
        self.up("KeyW")
        self.press_ahead()
        self.up("KeyW")
        self.moves.wait_for_rest()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for the tests of this file."""
    running = Chromium(require_browser(), tmp_path_factory.mktemp("profile"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def moves() -> Moves:
    """What the robot did."""
    return Moves()


@pytest.fixture(scope="module")
def robot(site: Site, moves: Moves) -> Iterator[list[Robot]]:
    """The robot, in a list: a test may put another life of it there."""
    lives = [Robot(site, moves)]
    yield lives
    lives[-1].stop()


@pytest.fixture(scope="module")
def console(site: Site, robot: list[Robot], moves: Moves, chromium: Chromium) -> Iterator[Console]:
    """A console that drives; each test leaves it driving."""
    assert robot
    opened = driving(site, moves, chromium)
    yield opened
    opened.page.close()


def driving(site: Site, moves: Moves, chromium: Chromium) -> Console:
    """Return a console that drives, its video with the focus."""
    opened = Console(chromium.open(site.link(OWNER)), moves, chromium)
    opened.press("drive")
    opened.says(f"You drive {ROBOT}")
    opened.page.run(f"{VIDEO}.focus()")
    return opened


@contextmanager
def context_menu(console: Console) -> Iterator[None]:
    """A right click on the video; then Escape, which the menu takes for itself."""
    console.mouse("mousePressed", console.place(VIDEO), "right", 2)
    yield
    console.up("Escape")


@contextmanager
def alt_tab(console: Console) -> Iterator[None]:
    """Alt goes down; Tab is the window manager's, and all else happens in the other window."""
    console.down("AltLeft")
    other = console.chromium.open("about:blank", new_window=True)
    console.chromium.call("Target.activateTarget", targetId=other.target)
    yield
    other.close()
    console.front()


@contextmanager
def command(console: Console) -> Iterator[None]:
    """On macOS no key that is let go while Cmd is down is told."""
    console.down("MetaLeft")
    yield
    console.up("MetaLeft")


@contextmanager
def control(console: Console) -> Iterator[None]:
    """Ctrl opens what the browser keeps for itself."""
    console.down("ControlLeft")
    yield
    console.up("ControlLeft")


@contextmanager
def screen_lock(console: Console) -> Iterator[None]:
    """The window goes, and the browser is told that the screen is locked."""
    window = console.chromium.call("Browser.getWindowForTarget", targetId=console.page.target)
    number = window["windowId"]
    console.page.call("Emulation.setIdleOverride", isUserActive=False, isScreenUnlocked=False)
    console.chromium.call(
        "Browser.setWindowBounds", windowId=number, bounds={"windowState": "minimized"}
    )
    yield
    console.chromium.call(
        "Browser.setWindowBounds", windowId=number, bounds={"windowState": "normal"}
    )
    console.page.call("Emulation.clearIdleOverride")


@contextmanager
def other_tab(console: Console) -> Iterator[None]:
    """The page is hidden."""
    other = console.chromium.open("about:blank")
    yield
    console.front()
    other.close()


@contextmanager
def frozen(console: Console) -> Iterator[None]:
    """The browser freezes a page that is hidden."""
    with other_tab(console):
        console.page.call("Page.setWebLifecycleState", state="frozen")
        yield
        console.page.call("Page.setWebLifecycleState", state="active")


@contextmanager
def alert(console: Console) -> Iterator[None]:
    """The page stops running until somebody answers."""
    console.page.order("Runtime.evaluate", expression="alert('Battery low')")
    console.page.wait_for("Page.javascriptDialogOpening")
    yield
    console.page.call("Page.handleJavaScriptDialog", accept=True)


@contextmanager
def confirm(console: Console) -> Iterator[None]:
    """As an alert, with a question."""
    console.page.order("Runtime.evaluate", expression="confirm('Go on?')")
    console.page.wait_for("Page.javascriptDialogOpening")
    yield
    console.page.call("Page.handleJavaScriptDialog", accept=False)


@contextmanager
def dialog(console: Console) -> Iterator[None]:
    """A dialog of the page's own, with nothing in it that takes the focus."""
    console.page.run("""document.body.append(Object.assign(
        document.createElement("dialog"), { id: "asks", textContent: "Go on?" }));
        document.querySelector("#asks").showModal()""")
    yield
    console.page.run("document.querySelector('#asks').remove()")


@contextmanager
def stopped_processes(console: Console) -> Iterator[None]:
    """The processes that run pages stand still."""
    stopped = console.renderers()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def debugger(console: Console) -> Iterator[None]:
    """The developer tools pause the page."""
    console.page.call("Debugger.enable")
    console.page.call("Debugger.pause")
    console.page.wait_for("Debugger.paused")
    yield
    console.page.call("Debugger.resume")
    console.page.call("Debugger.disable")


@contextmanager
def drag_and_drop(console: Console) -> Iterator[None]:
    """While something is dragged, keys are the system's."""
    x, y = console.place(VIDEO)
    console.page.run(f"{VIDEO}.draggable = true")
    console.page.call("Input.setInterceptDrags", enabled=True)
    console.mouse("mousePressed", (x, y), "left", 1)
    console.mouse("mouseMoved", (x + 40, y + 40), "left", 1)
    console.page.wait_for("Input.dragIntercepted")
    yield
    data = {"items": [], "files": [], "dragOperationsMask": 1}
    console.page.call("Input.dispatchDragEvent", type="dragCancel", x=x, y=y, data=data)
    console.mouse("mouseReleased", (x, y), "left", 0)
    console.page.call("Input.setInterceptDrags", enabled=False)
    console.page.run(f"{VIDEO}.draggable = false")


@contextmanager
def removal(console: Console) -> Iterator[None]:
    """The element goes from the page, and comes back."""
    console.page.run(f"window.gone = {VIDEO}; window.stage = gone.parentElement; gone.remove()")
    yield
    console.page.run("stage.append(gone); gone.play()")


WAYS = [
    context_menu,
    alt_tab,
    command,
    control,
    screen_lock,
    other_tab,
    frozen,
    alert,
    confirm,
    dialog,
    stopped_processes,
    debugger,
    drag_and_drop,
    removal,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_key_that_is_lost_moves_nothing_and_a_new_press_is_needed(
    console: Console,
    way: Callable[[Console], AbstractContextManager[None]],
    record_property: Callable[[str, object], None],
) -> None:
    """The robot rests within its watchdog, with the key never let go, and after the loss's end."""
    console.press_ahead()
    begun = time.monotonic()
    with way(console):
        motions = console.moves.motions()
        console.moves.wait_for_rest()
        rested_ms = (console.moves.stopped_at - begun) * 1000
        late = console.moves.motions() - motions
    record_property(f"robot at rest after {way.__name__}", f"{rested_ms:.0f} ms")

    assert late <= COMMANDS_IN_WATCHDOG
    console.stays_at_rest()
    console.drives_by_a_new_press()


def test_two_keys_that_cancel_each_other_are_lost_like_one(console: Console) -> None:
    """W and S held, both let go in another tab: W alone drives ahead, and then nothing."""
    console.press_ahead()
    console.down("KeyS")
    console.moves.wait_for_rest()
    with other_tab(console):
        pass
    begun = len(console.moves.drives)
    console.wait_until_active()
    console.down("KeyW")
    console.moves.wait_for(Drive(0.0, 1.0))
    console.up("KeyW")
    console.moves.wait_for_rest()

    assert Drive(0.0, -1.0) not in console.moves.drives[begun:]
    console.stays_at_rest()


def test_a_key_that_has_repeated_and_repeats_no_more_is_up(console: Console) -> None:
    """No event at all tells of the release, as over a remote desktop: the silence does."""
    console.page.run(f"{VIDEO}.focus()")
    console.down("KeyW")
    for _ in range(5):
        console.key("rawKeyDown", "KeyW", repeats=True)
    console.moves.wait_for(Drive(0.0, 1.0))
    console.moves.wait_for(STILL)

    console.stays_at_rest()
    console.drives_by_a_new_press()


def pad_of(console: Console) -> tuple[float, float]:
    """Return the top of the pad, where a pointer drives ahead."""
    x, y = console.place(PAD)
    return x, y - console.page.run(f"{PAD}.getBoundingClientRect().height / 2") + 1


def test_a_right_click_on_the_pad_moves_nothing(console: Console) -> None:
    """Only the main button drives, and the pad opens no menu that would keep its release."""
    motions = console.moves.motions()
    console.mouse("mousePressed", pad_of(console), "right", 2)
    console.mouse("mousePressed", pad_of(console), "middle", 4)

    console.stays_at_rest()
    assert console.moves.motions() == motions
    console.mouse("mouseReleased", pad_of(console), "right", 4)
    console.mouse("mouseReleased", pad_of(console), "middle", 0)
    console.drives_by_a_new_press()


def test_a_second_button_while_the_pad_drives_ends_that(console: Console) -> None:
    """A menu comes with it, and what is let go in a menu is not told."""
    where = pad_of(console)
    console.mouse("mousePressed", where, "left", 1)
    console.moves.wait_to_move()
    console.mouse("mousePressed", where, "right", 3)
    console.moves.wait_for_rest()
    console.mouse("mouseMoved", (where[0] + 5, where[1]), "left", 3)

    console.stays_at_rest()
    console.mouse("mouseReleased", where, "right", 1)
    console.mouse("mouseReleased", where, "left", 0)
    console.drives_by_a_new_press()


def test_a_finger_that_rests_on_the_pad_drives_on(console: Console) -> None:
    """A long press asks for a menu; the pad opens none, so nothing is lost."""
    console.touch("touchStart", pad_of(console))
    console.moves.wait_to_move()
    begun = len(console.moves.drives)
    menu = "new PointerEvent('contextmenu', { bubbles: true, cancelable: true })"
    opens = console.page.run(f"{PAD}.dispatchEvent({menu})")
    console.moves.wait_to_move()
    moved = console.moves.drives[begun:]
    console.touch("touchEnd")
    console.moves.wait_for_rest()

    assert (opens, STILL in moved) == (False, False)


def test_a_finger_that_the_system_takes_over_stops(console: Console) -> None:
    """The pointer is cancelled, as by a gesture of the system's."""
    console.touch("touchStart", pad_of(console))
    console.moves.wait_to_move()
    console.touch("touchCancel")
    console.moves.wait_for_rest()

    console.stays_at_rest()
    console.drives_by_a_new_press()


@pytest.mark.parametrize("second", [PAD, VIDEO], ids=["on the pad", "elsewhere"])
def test_a_second_finger_stops_and_neither_of_the_two_drives(console: Console, second: str) -> None:
    """What is left on the pad when one is lifted drives no more."""
    first, other = pad_of(console), console.place(second)
    console.touch("touchStart", first)
    console.moves.wait_to_move()
    console.touch("touchStart", first, other)
    console.moves.wait_for_rest()
    console.touch("touchMove", (first[0] + 9, first[1]), other)
    console.touch("touchMove", (first[0] + 5, first[1]))

    console.stays_at_rest()
    console.touch("touchEnd")
    console.drives_by_a_new_press()


def take_over(mine: Console, theirs: Console) -> None:
    """An admin takes the control, and gives it up."""
    theirs.press("take-over")
    mine.says(f"You lost control to “{ADMIN}”")


def hand_over(mine: Console, theirs: Console) -> None:
    """An admin asks for the control, and is handed it."""
    theirs.press("watch")
    theirs.press("request")
    mine.press("grant")
    mine.says(f"“{ADMIN}” drives \u2014 you watch")


@pytest.mark.parametrize("lose", [take_over, hand_over], ids=lambda lose: lose.__name__)
def test_a_key_held_while_another_drives_moves_nothing_when_control_is_back(
    console: Console, site: Site, lose: Callable[[Console, Console], None]
) -> None:
    """Held through it all, by the system's repeats too, and pressed again meanwhile."""
    theirs = Console(
        console.chromium.open(site.link(ADMIN, "ADMINS"), new_window=True),
        console.moves,
        console.chromium,
    )
    console.front()
    console.press_ahead()
    lose(console, theirs)
    console.moves.wait_for_rest()
    console.down("KeyD")
    theirs.says(f"You drive {ROBOT}")
    theirs.press("leave")
    console.press("drive")
    console.says(f"You drive {ROBOT}")

    console.stays_at_rest()
    console.up("KeyD")
    console.drives_by_a_new_press()
    theirs.page.close()


def test_a_key_held_while_the_robot_restarts_moves_nothing_when_it_is_back(
    console: Console, site: Site, robot: list[Robot]
) -> None:
    """The page drives again by itself, and the robot waits for a new press."""
    console.press_ahead()
    robot[-1].stop()
    console.says(f"Waiting for {ROBOT}")
    robot.append(Robot(site, console.moves))
    console.says(f"You drive {ROBOT}")

    console.stays_at_rest()
    console.drives_by_a_new_press()


def test_a_window_that_is_closed_stops_the_robot(
    console: Console, site: Site, moves: Moves, chromium: Chromium
) -> None:
    """Nothing of the page is left to say so."""
    console.press("leave")
    closing = driving(site, moves, chromium)
    closing.down("KeyW")
    moves.wait_for(Drive(0.0, 1.0))
    closing.page.close()
    motions = moves.motions()
    moves.wait_for_rest()

    assert moves.motions() - motions <= COMMANDS_IN_WATCHDOG
