"""The console as a phone in the same network opens it: by https, with the certificate checked."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from playwright.sync_api import Page, sync_playwright

from robosignal.gateway.names import find_hosts
from robosignal.gateway.tls import CERTIFICATE_FILE, KEY_FILE, Tls, TlsFiles
from robosignal.robot.media.test_pattern import BLOCK, NUMBER_BITS
from tests.browser import ARGUMENTS, require_browser
from tests.e2e.processes import Process
from tests.e2e.test_driving import FRAME_NUMBER, HAS_STOPPED, MARKER
from tests.gateway import certificates

EVERYWHERE = "0.0.0.0"  # noqa: S104 - as for a phone
ONLY_IN_SECURE_PAGES = """() => [
  isSecureContext,
  'wakeLock' in navigator,
  'getGamepads' in navigator,
  'mediaDevices' in navigator,
]"""


@dataclass(frozen=True)
class Demo:
    """A demo that other machines reach, and the link of its owner."""

    process: Process
    link: str
    tls: Tls


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Return it once its robot is online, by the certificate alone."""
    options = ("--demo", "--tls", "--host", EVERYWHERE, "--port", "0", "--state", str(tmp_path))
    process = Process("serve", *options)
    link = process.wait_for(r"owns the demo robot:\s+(https://\S+)")[1]
    process.wait_for("^demo: online")
    files = TlsFiles(tmp_path / CERTIFICATE_FILE, tmp_path / KEY_FILE)
    yield Demo(process, link, Tls.load(files, lambda: find_hosts(EVERYWHERE)))
    assert process.stop() == 0


@pytest.fixture
def page(demo: Demo) -> Iterator[Page]:
    """A tab of a browser that trusts this one public key, and checks all else."""
    trusted = b64encode(demo.tls.spki_sha256).decode()
    arguments = [*ARGUMENTS, f"--ignore-certificate-errors-spki-list={trusted}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_browser(), args=arguments)
        yield browser.new_page(viewport={"width": 412, "height": 915})
        browser.close()


def test_a_phone_drives_from_a_secure_page(demo: Demo, page: Page) -> None:
    """It opens the printed link, sees the robot's picture, and the robot obeys."""
    page.goto(demo.link)
    page.wait_for_selector("body[data-state=online]")
    assert page.evaluate(ONLY_IN_SECURE_PAGES) == [True] * 4

    page.click("li[data-robot-id=demo] [data-action=drive]")
    page.wait_for_function(f"args => ({FRAME_NUMBER})(args) >= 0", arg=[BLOCK, NUMBER_BITS])
    before = page.wait_for_function(MARKER).json_value()
    page.wait_for_selector("#panel[data-banner=you-drive]")
    page.wait_for_function("() => document.activeElement?.id === 'video'")

    has_risen = f"above => {{ const now = ({MARKER})(); return now !== null && now.row < above; }}"
    is_true = False
    while not is_true:
        # A machine that is busy holds the page up, which then asks for another press.
        page.keyboard.down("ArrowUp")
        page.wait_for_function(
            f"above => ({has_risen})(above) || ({HAS_STOPPED})()", arg=before["row"]
        )
        page.keyboard.up("ArrowUp")
        is_true = page.evaluate(has_risen, before["row"])

    page.wait_for_function(f"() => ({MARKER})()?.moves === false")
    page.click("#panel [data-action=leave]")


def test_the_same_page_without_tls_is_not_secure(tmp_path: Path) -> None:
    """That is what TLS is for: from another machine, `http` gives a page nothing of this."""
    options = ("--host", EVERYWHERE, "--port", "0", "--state", str(tmp_path))
    process = Process("serve", *options)
    port = process.wait_for(r"is up at http://127\.0\.0\.1:(\d+)/")[1]
    (address, *_) = find_hosts(EVERYWHERE)
    if address == "localhost" or address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_browser(), args=[*ARGUMENTS])
        page = browser.new_page()
        page.goto(f"http://{address}:{port}/")
        assert page.evaluate(ONLY_IN_SECURE_PAGES)[:2] == [False, False]
        browser.close()
    assert process.stop() == 0


@pytest.mark.parametrize("is_given", [False, True])
def test_the_demo_robot_trusts_the_gateways_certificate(tmp_path: Path, is_given: bool) -> None:  # noqa: FBT001 - a case
    """One of an authority that nothing on this machine knows, and one that is not kept."""
    files = certificates.write(tmp_path, x509.DNSName("localhost"))
    given = ("--tls-cert", str(files.certificate), "--tls-key", str(files.key))
    options = given if is_given else ("--tls",)

    process = Process("serve", "--demo", "--port", "0", "--state", ":memory:", *options)

    process.wait_for(rf"is up at https://{'localhost' if is_given else '127.0.0.1'}:")
    process.wait_for("^demo: online")
    assert process.stop() == 0


def test_another_robot_trusts_the_certificate_by_its_file(demo: Demo) -> None:
    """As `serve` prints; without that, it says why it does not connect."""
    url = f"wss://{demo.tls.hosts[0]}:{demo.link.rpartition(':')[2].partition('/')[0]}/prod"
    trusting = {"SSL_CERT_FILE": str(demo.tls.files.certificate)}
    enrol = ("robot", "enroll", url, "AAAA-AAAA-AAAA-AAAA")
    key = str(demo.tls.files.key.with_name("other-robot.json"))

    untrusting = Process(*enrol, "--file", key)
    untrusting.wait_for("its certificate is not trusted")
    assert untrusting.ended() == 1

    # Only a server that is trusted is asked, and it does not know this code.
    trusted = Process(*enrol, "--file", key, environment=trusting)
    trusted.wait_for("the server does not take this code")
    assert trusted.ended() == 1
