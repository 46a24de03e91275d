"""ICE servers, candidates and session descriptions: from the protocol's form to aiortc's, and back.

What aiortc cannot use is left out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiortc import RTCConfiguration, RTCIceCandidate, RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri
from aiortc.sdp import candidate_from_sdp, candidate_to_sdp

from robosignal.robot.frames import Candidate

PREFIX = "candidate:"
CANDIDATE = f"a={PREFIX}"
END = "a=end-of-candidates"
MID = "a=mid:"


class IceServer(msgspec.Struct, frozen=True):
    """RTCIceServer (W3C WebRTC, section 4.2.2)."""

    urls: str | list[str]
    username: str | None = None
    credential: str | None = None


def configure(servers: Iterable[Mapping[str, Any]]) -> RTCConfiguration:
    """Return aiortc's configuration with the servers that it can use.

    Never without a list: aiortc would ask a public STUN server then.
    """
    return RTCConfiguration(iceServers=[usable for one in servers for usable in _list_usable(one)])


def _list_usable(server: Mapping[str, Any]) -> list[RTCIceServer]:
    try:
        found = msgspec.convert(server, IceServer)
    except msgspec.ValidationError:
        return []
    urls = [found.urls] if isinstance(found.urls, str) else found.urls
    # One URL that aiortc cannot read would fail the whole peer connection.
    return [
        RTCIceServer(urls=url, username=found.username, credential=found.credential)
        for url in urls
        if _is_readable(url)
    ]


def _is_readable(url: str) -> bool:
    try:
        parse_stun_turn_uri(url)
    except ValueError:
        return False
    return True


def split_candidates(sdp: str) -> tuple[str, list[Candidate]]:
    """Return an offer's description without its candidates, and those.

    So a description waits for no candidate: aiortc resolves the mDNS names in one before it goes
    on, for a second each. Nor does it end the candidates: see `strip_end`.
    """
    lines: list[str] = []
    found: list[Candidate] = []
    section = -1
    for line in sdp.splitlines():
        section += line.startswith("m=")
        if line.startswith(CANDIDATE):
            found.append(Candidate(line.removeprefix("a="), sdp_m_line_index=max(0, section)))
        else:
            lines.append(line)
    return strip_end("".join(f"{line}\r\n" for line in lines)), found


def strip_end(sdp: str) -> str:
    """Return a description that leaves open whether more candidates follow (RFC 8840, 4.2).

    Neither direction ends them. One end is one section's, aiortc would take it for every
    section's; and frames overtake each other, so candidates may follow it.
    """
    return "".join(line for line in sdp.splitlines(keepends=True) if line.strip() != END)


def read_mids(sdp: str) -> list[str]:
    """Return the mid of each media section, in their order; one that has none is left out."""
    return [line.removeprefix(MID) for line in sdp.splitlines() if line.startswith(MID)]


def to_aiortc(candidate: Candidate) -> RTCIceCandidate:
    """Return a candidate in aiortc's form; raise what its parser raises."""
    found = candidate_from_sdp(candidate.candidate.removeprefix(PREFIX))
    found.sdpMid = candidate.sdp_mid
    found.sdpMLineIndex = candidate.sdp_m_line_index
    return found


def from_aiortc(candidate: RTCIceCandidate) -> Candidate:
    """Return a candidate of aiortc's as RTCIceCandidateInit."""
    text = PREFIX + candidate_to_sdp(candidate)
    return Candidate(text, candidate.sdpMid, candidate.sdpMLineIndex)
