"""Which offers the robot takes: those of real browsers, and each way in which others differ.

Each is answered by a real peer connection, since it is aiortc that must not fail on it.
"""

import re
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from robosignal.robot.media.sdp import (
    MAX_CANDIDATES,
    MAX_FORMATS,
    MAX_SDP_BYTES,
    MAX_SECTIONS,
    Unacceptable,
    check_size,
    rewrite,
)

OFFERS = Path(__file__).parent / "offers"
"""As Chromium and Firefox make them, for a video, a channel and sound that is received or sent."""


def offer(name: str) -> str:
    """Return a browser's offer."""
    return (OFFERS / f"{name}.sdp").read_bytes().decode()


def taken_apart(sdp: str) -> list[str]:
    """Return the part before the first media section, and each section."""
    return re.split(r"(?m)^(?=m=)", sdp)


HEAD, VIDEO, DATA = taken_apart(offer("chromium-drive"))
SOUND_HEAD, SOUND, SOUND_VIDEO, SOUND_DATA = taken_apart(offer("chromium-with-sound"))
OURS = HEAD + VIDEO + DATA


def bundled(head: str, mids: str) -> str:
    """Return a head whose group names these."""
    return re.sub(r"a=group:BUNDLE.*\r\n", f"a=group:BUNDLE {mids}\r\n" if mids else "", head)


def without(sdp: str, *names: str) -> str:
    """Return a description without these attributes."""
    return re.sub(rf"(?m)^a=(?:{'|'.join(names)})\b.*\r\n", "", sdp)


def rejected(section: str) -> str:
    """Return a section that its sender has rejected."""
    return re.sub(r"^(m=\S+) \d+", r"\1 0", section)


def named(section: str, mid: str) -> str:
    """Return a section with another mid."""
    return re.sub(r"a=mid:.*\r\n", f"a=mid:{mid}\r\n", section)


def only(section: str, *codecs: str) -> str:
    """Return a section that offers no other codecs than these."""
    found = re.findall(r"a=rtpmap:(\d+) ([^/]+)", section)
    kept = {number for number, codec in found if codec in codecs}
    first, *lines = section.splitlines(keepends=True)
    about = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d+)")
    left = [one for one in lines if not (m := about.match(one)) or m[1] in kept]
    return " ".join([*first.split()[:3], *sorted(kept)]) + "\r\n" + "".join(left)


def beside(*lines: str) -> str:
    """Return the offer with these lines in its video section as well."""
    return HEAD + VIDEO + "".join(f"{line}\r\n" for line in lines) + DATA


OLD_DATA = without(DATA, "sctp-port", "max-message-size").replace(
    "UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000"
)
TEXT = "m=text 9 RTP/AVP 98\r\nc=IN IP4 0.0.0.0\r\na=mid:t\r\na=rtpmap:98 t140/1000\r\n"
CONFERENCE = "m=application 9 UDP/BFCP *\r\nc=IN IP4 0.0.0.0\r\na=mid:t\r\n"
BARE_SOUND = "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=inactive\r\n"
WITH_BARE_SOUND = bundled(SOUND_HEAD, "1 2") + BARE_SOUND + SOUND_VIDEO + SOUND_DATA
TRANSPORT = "".join(re.findall(r"a=(?:ice-ufrag|ice-pwd|fingerprint|setup).*\r\n", VIDEO))
BUNDLE_ONLY = without(DATA, "ice-ufrag", "ice-pwd", "fingerprint", "setup")

TAKEN = {
    "Chromium's": (OURS, "video application"),
    "Firefox's": (offer("firefox-drive"), "video application"),
    "Chromium's with sound": (offer("chromium-with-sound"), "audio video application"),
    "Firefox's with sound": (offer("firefox-with-sound"), "audio video application"),
    "data channel first": (HEAD + DATA + VIDEO, "application video"),
    "no video": (bundled(HEAD, "1") + DATA, "application"),
    "no data channel": (bundled(HEAD, "0") + VIDEO, "video"),
    "two videos": (
        bundled(HEAD, "0 x 1") + VIDEO + named(VIDEO, "x") + DATA,
        "video video application",
    ),
    "video both ways": (OURS.replace("recvonly", "sendrecv"), "video application"),
    "inactive video": (OURS.replace("recvonly", "inactive"), "video application"),
    "rejected video": (bundled(HEAD, "1") + rejected(VIDEO) + DATA, "video:0 application"),
    "rejected video in the bundle": (HEAD + rejected(VIDEO) + DATA, "video:0 application"),
    "rejected data channel": (bundled(HEAD, "0") + VIDEO + rejected(DATA), "video application:0"),
    "rejected sound of nothing else": (WITH_BARE_SOUND, "audio:0 video application"),
    "bundle-only": (
        HEAD + VIDEO + rejected(BUNDLE_ONLY) + "a=bundle-only\r\n",
        "video application",
    ),
    "unknown sound": (
        SOUND_HEAD + only(SOUND, "red", "CN") + SOUND_VIDEO + SOUND_DATA,
        "audio:0 video application",
    ),
    "VP8 alone": (HEAD + only(VIDEO, "VP8") + DATA, "video application"),
    "H264 alone": (HEAD + only(VIDEO, "H264") + DATA, "video application"),
    "no mid": (without(OURS, "mid"), "video application"),
    "no bundle": (bundled(HEAD, "") + VIDEO + DATA, "video application"),
    "neither": (without(bundled(HEAD, "") + VIDEO + DATA, "mid"), "video application"),
    "a bundle of others": (bundled(HEAD, "7 8") + VIDEO + DATA, "video application"),
    "a bundle in another order": (bundled(HEAD, "1 0") + VIDEO + DATA, "video application"),
    "an empty bundle": (HEAD.replace("BUNDLE 0 1", "BUNDLE") + VIDEO + DATA, "video application"),
    "ICE lite": (HEAD + "a=ice-lite\r\n" + VIDEO + DATA, "video application"),
    "no extmap-allow-mixed": (without(OURS, "extmap-allow-mixed"), "video application"),
    "extmap with a direction": (
        OURS.replace("a=extmap:1 ", "a=extmap:1/recvonly "),
        "video application",
    ),
    "extmap with attributes": (beside("a=extmap:9 urn:example:x some more"), "video application"),
    "old data channel": (
        HEAD + VIDEO + OLD_DATA + "a=sctpmap:5000 webrtc-datachannel 1024\r\n",
        "video application",
    ),
    "old data channel without sctpmap": (HEAD + VIDEO + OLD_DATA, "video application"),
    "a second data channel": (
        HEAD + VIDEO + DATA + named(DATA, "z"),
        "video application application:0",
    ),
    "text": (HEAD + VIDEO + DATA + TEXT, "video application text:0"),
    "another application": (HEAD + VIDEO + DATA + CONFERENCE, "video application application:0"),
    "lines that end in LF": (OURS.replace("\r\n", "\n"), "video application"),
    "no last end of line": (OURS.rstrip(), "video application"),
    "no direction": (without(OURS, "recvonly"), "video application"),
    "a direction for all": (
        HEAD + "a=recvonly\r\n" + without(VIDEO, "recvonly") + DATA,
        "video application",
    ),
    "no setup": (without(OURS, "setup"), "video application"),
    "setup active": (OURS.replace("actpass", "active"), "video application"),
    "setup holdconn": (OURS.replace("actpass", "holdconn"), "video application"),
    "transport for all": (
        HEAD + TRANSPORT + without(VIDEO + DATA, "ice-ufrag", "ice-pwd", "fingerprint", "setup"),
        "video application",
    ),
    "a source without a value": (beside("a=ssrc:1 foo"), "video application"),
    "parameters of no format": (beside("a=fmtp:9 foo=1"), "video application"),
    "parameters without a value": (beside("a=fmtp:96"), "video application"),
    "parameters that are no numbers": (beside("a=fmtp:96 max-fr=x"), "video application"),
    "a format without a rate": (beside("a=rtpmap:127 VP8"), "video application"),
    "a bad rtcp": (OURS.replace("a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp:x"), "video application"),
    "a bad candidate": (beside("a=candidate:1 1 udp"), "video application"),
    "a range of ports": (re.sub(r"m=video (\d+)", r"m=video \1/2", OURS), "video application"),
    "a mid with a space": (OURS.replace("a=mid:0\r\n", "a=mid:0 \r\n"), "video application"),
    "a mid that comes twice": (beside("a=mid:0"), "video application"),
    "an unknown kind": (HEAD + VIDEO.replace("m=video", "m=Video") + DATA, "Video:0 application"),
}


async def answered(sdp: str) -> str:
    """Return the answer of a peer connection that takes an offer as it is rewritten."""
    found = rewrite(sdp)
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        await peer.setRemoteDescription(
            RTCSessionDescription(sdp=without(found.sdp, "candidate"), type="offer")
        )
        await peer.setLocalDescription(await peer.createAnswer())
        return found.answer(peer.localDescription.sdp)
    finally:
        await peer.close()


@pytest.mark.parametrize("shape", TAKEN)
async def test_an_offer_is_answered_section_by_section(shape: str) -> None:
    """In the offer's order; what cannot be taken is rejected by port 0 (RFC 3264, section 6)."""
    sdp, expected = TAKEN[shape]
    head, *sections = taken_apart(await answered(sdp))
    kinds = [re.match(r"m=(\S+) (\d+)", section) for section in sections]
    told = [f"{kind[1]}:0" if kind[2] == "0" else kind[1] for kind in kinds if kind]
    bundle = re.findall(r"a=group:BUNDLE(.*)\r\n", head)

    assert " ".join(told) == expected
    for section in sections:
        if re.match(r"m=\S+ 0 ", section) and (mid := re.search(r"a=mid:(\S+)", section)):
            assert mid[1] not in " ".join(bundle).split()


REFUSED = {
    "none of its codecs": (
        HEAD + only(VIDEO, "AV1", "VP9") + DATA,
        "none of this robot's video codecs",
    ),
    "H264 of another profile": (
        HEAD
        + re.sub(r"profile-level-id=\w+", "profile-level-id=640c1f", only(VIDEO, "H264"))
        + DATA,
        "none of this robot's video codecs",
    ),
    "no fingerprint": (without(OURS, "fingerprint"), "no a=fingerprint"),
    "no ICE credentials": (without(OURS, "ice-ufrag"), "no a=ice-ufrag"),
    "no ICE password": (without(OURS, "ice-pwd"), "no a=ice-pwd"),
    "no section": (HEAD, "nothing that this robot can do"),
    "rejected altogether": (
        HEAD + rejected(VIDEO) + rejected(DATA),
        "nothing that this robot can do",
    ),
    "one mid of two sections": (HEAD + VIDEO + named(DATA, "0"), "have the same a=mid"),
    "one mid of two videos": (HEAD + VIDEO + VIDEO + DATA, "have the same a=mid"),
    "one mid of two sections, no bundle": (
        bundled(HEAD, "") + VIDEO + named(DATA, "0"),
        "have the same a=mid",
    ),
    "the mid of a section that would be rejected": (
        HEAD + VIDEO + DATA + TEXT.replace("a=mid:t", "a=mid:1"),
        "have the same a=mid",
    ),
    "two mids of one section": (beside("a=mid:7"), "more than one a=mid"),
    "two mids of one section, one of them another's": (beside("a=mid:1"), "more than one a=mid"),
    "a line that is none": (HEAD + "m=rubbish\r\n", "m= line"),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_an_offer_that_cannot_be_taken_is_refused_with_the_reason(shape: str) -> None:
    """In words of the robot's own, which name what is missing."""
    sdp, reason = REFUSED[shape]
    with pytest.raises(Unacceptable, match=reason) as refusal:
        rewrite(sdp)

    assert refusal.value.code == "not_acceptable"


@pytest.mark.parametrize(
    ("sdp", "wanted"),
    [
        (OURS + "a=x\r\n" * MAX_SDP_BYTES, f"this robot takes {MAX_SDP_BYTES}"),
        (HEAD + VIDEO + "é" * (MAX_SDP_BYTES // 2), f"this robot takes {MAX_SDP_BYTES}"),
        ("m=x\n" * (MAX_SECTIONS + 1), f"this robot takes {MAX_SECTIONS}"),
        *[
            (f"v=0{end}m=x{end}" * (MAX_SECTIONS + 1), f"this robot takes {MAX_SECTIONS}")
            for end in ("\r", "\x0b", "\x85", "\u2028", "\n ")
        ],
    ],
)
def test_an_offer_that_is_too_large_is_refused_before_it_is_read(sdp: str, wanted: str) -> None:
    """By its bytes and its sections, however its lines end; the limit is named."""
    with pytest.raises(Unacceptable, match=wanted) as refusal:
        check_size(sdp)

    assert refusal.value.code == "too_large"


@pytest.mark.parametrize("path", sorted(OFFERS.iterdir()), ids=lambda path: path.stem)
def test_browsers_offers_are_well_within_the_bounds(path: Path) -> None:
    """Half of the bytes are left for candidates, some 130 bytes each."""
    check_size(path.read_text(encoding="utf-8") + "a" * (MAX_SDP_BYTES // 2))


@pytest.mark.parametrize("path", sorted(OFFERS.iterdir()), ids=lambda path: path.stem)
def test_no_codec_of_a_browsers_is_left_out_that_aiortc_knows(path: Path) -> None:
    """However many payload types a browser offers."""
    known = re.compile(r"a=rtpmap:\d+ (?:VP8|H264|rtx|opus|G722|PCMU|PCMA)/.*", re.IGNORECASE)
    sdp = offer(path.stem)

    assert known.findall(rewrite(sdp).sdp) == known.findall(sdp)


def test_what_would_take_aiortc_long_is_left_out() -> None:
    """Formats that come twice, feedback, sources and candidates without end."""
    flood = [f"a=rtpmap:{n % 128} VP8/90000" for n in range(150)]
    flood += [f"a=rtcp-fb:* nack {n}" for n in range(100)]
    flood += [f"a=ssrc:{n} cname:x" for n in range(50)]
    flood += [f"a=candidate:{n} 1 udp 1 192.0.2.1 9 typ host" for n in range(70)]
    lines = rewrite(beside(*flood)).sdp.splitlines()

    assert sum("rtpmap" in line for line in lines) <= MAX_FORMATS
    assert sum("candidate" in line for line in lines) <= MAX_CANDIDATES + DATA.count("a=candidate")
    assert not [line for line in lines if "nack 7" in line or line.startswith("a=ssrc:")]


def test_a_bundle_that_names_a_section_twice_is_read_as_if_once() -> None:
    """Else aiortc stops the transport that all sections have."""
    assert "a=group:BUNDLE 0 1\r\n" in rewrite(bundled(HEAD, "0 0 1 0") + VIDEO + DATA).sdp


def test_an_index_means_the_same_section_before_and_after() -> None:
    """Of a section that is left out there is none."""
    found = rewrite(WITH_BARE_SOUND)

    assert [found.index(given) for given in (None, 0, 1, 2)] == [None, None, 0, 1]
