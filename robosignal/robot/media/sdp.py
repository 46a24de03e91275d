"""Which offers the robot takes, and how one is rewritten where aiortc would fail on it.

Session descriptions are RFC 8866's, as WebRTC uses them (RFC 8829).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from aiortc.codecs import CODECS
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.sdp import DIRECTIONS, SessionDescription, candidate_from_sdp, parameters_from_sdp

MAX_SDP_BYTES = 16 * 1024
"""Chromium's offer for this robot has 6 KB, Firefox's 3.4 KB; with sound 7.3 and 5.1 KB.

The rest is room for candidates, some 130 bytes each.
"""

MAX_SECTIONS = 6
"""Media sections: a robot needs two, and up to six with four cameras and sound.

Each may cost a transport with sockets of its own.
"""

MAX_FORMATS = 32
"""Payload types of a section: Chromium's video has 25 that aiortc knows, with retransmission."""

MAX_CANDIDATES = 64
"""Candidates of a section in the offer itself; each makes a pair with each of the robot's own."""

CODEC_NAMES = frozenset(
    {codec.mimeType.partition("/")[2].lower() for each in CODECS.values() for codec in each}
)

_RTPMAP = re.compile(r"a=rtpmap:(\d+) ([^/ ]+)/\d+(?:/\d+)?")
_SECTION = re.compile(r"^m=", re.MULTILINE)
_MEDIA = re.compile(r"m=(\S+) (\d+)(?:/\d+)? (\S+) (\S.*)")
_TRANSPORT = ("ice-ufrag", "ice-pwd", "fingerprint")


class Unacceptable(Exception):
    """This offer is refused: a code of the protocol's, and a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Section:
    """One media section: the fields of its first line, and the lines after it, without ends."""

    kind: str
    port: int
    protocol: str
    formats: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """Return the section's lines in a description."""
        return _join_lines(
            [f"m={self.kind} {self.port} {self.protocol} {self.formats}", *self.lines]
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer as aiortc takes it, and the sections of it that are rejected, by index."""

    sdp: str
    rejected: dict[int, Section]

    def answer(self, sdp: str) -> str:
        """Return aiortc's answer with one section for each of the offer (RFC 3264, section 6)."""
        head, *taken = _SECTION.split(sdp)
        sections = [f"m={each}" for each in taken]
        for index, section in sorted(self.rejected.items()):
            sections.insert(index, str(_reject(section)))
        return head + "".join(sections)

    def index(self, given: int | None) -> int | None:
        """Return aiortc's index of the offer's section `given`; None if it has none."""
        if given is None or given in self.rejected:
            return None
        return given - sum(at < given for at in self.rejected)


def check_size(sdp: str) -> None:
    """Raise Unacceptable for an offer that is too large to be read at all."""
    size = len(sdp.encode(errors="replace"))
    if size > MAX_SDP_BYTES:
        too_long = f"the offer has {size} bytes of SDP, and this robot takes {MAX_SDP_BYTES}"
        raise Unacceptable("too_large", f"{too_long}: offer fewer tracks or codecs")
    count = sum(line.startswith("m=") for line in _lines(sdp))
    if count > MAX_SECTIONS:
        too_many = f"the offer has {count} media sections, and this robot takes {MAX_SECTIONS}"
        raise Unacceptable("too_large", f"{too_many}: offer fewer tracks")


def rewrite(sdp: str) -> Offer:
    """Return an offer as aiortc takes it.

    Leave out what aiortc would fail on, if the rest is usable: lines that it cannot read, and
    sections of unknown kinds, which are then rejected. Raise Unacceptable otherwise.
    """
    check_size(sdp)
    head, sections = _split(sdp)
    _check_mids(sections)
    usable = dict(_find_usable(sections))
    completed = {at: _complete(each, head, sections) for at, each in usable.items()}
    taken = _keep_codecs(head, completed)
    if not taken:
        needs = "a video section that receives, or a data channel (m=application over SCTP)"
        raise Unacceptable(
            "not_acceptable", f"the offer has nothing that this robot can do: {needs}"
        )
    for each in taken.values():
        _check_transport(each, head)
    rejected = {at: each for at, each in enumerate(sections) if at not in taken}
    return Offer(_join_sections(head, taken.values()), rejected)


def _split(sdp: str) -> tuple[list[str], list[Section]]:
    groups: list[list[str]] = [[]]
    for line in _lines(sdp):
        if line.startswith("m="):
            groups.append([])
        groups[-1].append(line)
    head, *sections = groups
    return head, [_section(first, lines) for first, *lines in sections]


def _lines(text: str) -> list[str]:
    # By every end of a line that aiortc knows, which are more than SDP has.
    return [line.strip() for line in text.splitlines() if line.strip()]


def _section(first: str, lines: list[str]) -> Section:
    found = _MEDIA.fullmatch(first)
    if found is None:
        message = "the offer has an m= line that is none (RFC 8866, section 5.14)"
        raise Unacceptable("not_acceptable", message)
    kind, port, protocol, formats = found.groups()
    return Section(kind, int(port), protocol, formats, tuple(lines))


def _find_usable(sections: list[Section]) -> Iterator[tuple[int, Section]]:
    has_data = False
    for at, section in enumerate(sections):
        is_offered = section.port > 0 or "a=bundle-only" in section.lines
        is_data = section.kind == "application" and "SCTP" in section.protocol
        is_media = section.kind in CODECS and "RTP/" in section.protocol
        if is_offered and (is_media or (is_data and not has_data)):
            has_data = has_data or is_data
            yield at, section


def _complete(section: Section, head: list[str], sections: list[Section]) -> Section:
    """Return a section with what it lacks, and without what aiortc cannot read."""
    lines = [*_clean(section)]
    if not _has(lines, *DIRECTIONS):
        # RFC 8866, section 6.7: what holds for all sections, or else sendrecv.
        lines.append(next((line for line in head if line[2:] in DIRECTIONS), "a=sendrecv"))
    if not _has([*lines, *head], "setup"):
        lines.append("a=setup:actpass")  # what JSEP has every offer say (RFC 8829, section 5.2.1)
    for name in _TRANSPORT:
        if not _has([*lines, *head], name) and "a=bundle-only" in section.lines:
            # RFC 8843, section 7.2.1: such a section has none of its own.
            lines += [line for line in _all_lines(sections) if _name(line) == name][:1]
    return replace(section, port=section.port or 9, lines=tuple(lines))


def _all_lines(sections: list[Section]) -> Iterator[str]:
    return (line for section in sections for line in section.lines)


def _clean(section: Section) -> Iterator[str]:
    formats, candidates = _list_formats(section), 0
    # A line that comes twice says nothing new.
    for line in dict.fromkeys(section.lines):
        name = _name(line)
        candidates += name == "candidate"
        if name == "candidate" and candidates > MAX_CANDIDATES:
            continue
        if (read := _read(line, formats)) is not None:
            yield read


def _list_formats(section: Section) -> dict[str, str]:
    """Return the `rtpmap` lines that the robot may use, at most `MAX_FORMATS`, by payload type."""
    named: dict[str, str] = {}
    for line in section.lines:
        found = _RTPMAP.fullmatch(line)
        if found and found[2].lower() in CODEC_NAMES and len(named) < MAX_FORMATS:
            named.setdefault(found[1], line)
    return named | {"*": ""}


def _read(line: str, formats: dict[str, str]) -> str | None:
    """Return a line as aiortc reads it, None for one that it cannot or need not."""
    name, _, value = line.removeprefix("a=").partition(":")
    if not line.startswith("a=") or name not in _READERS:
        return line
    named = formats.get(value.split(" ")[0])
    if name == "rtpmap" and named != line:
        return None
    if name in {"fmtp", "rtcp-fb"} and named is None:
        return None
    with suppress(ValueError, AssertionError, IndexError):
        read = _READERS[name](value)
        return None if read is None else f"a={name}:{read}"
    return None


def _match(pattern: str) -> Callable[[str], str | None]:
    return lambda value: value if re.fullmatch(pattern, value) else None


def _candidate(value: str) -> str:
    candidate_from_sdp(value)
    return value


def _format(value: str) -> str:
    _, parameters = value.split(" ", 1)
    parameters_from_sdp(parameters)
    return value


_READERS: dict[str, Callable[[str], str | None]] = {
    "candidate": _candidate,
    "extmap": lambda value: (
        " ".join(value.split()[:2]) if re.match(r"\d+(/\w+)? \S", value) else None
    ),
    "fmtp": _format,
    "max-message-size": _match(r"\d+"),
    "mid": str,
    "rtcp": _match(r"\d+( IN IP[46] \S+)?"),
    "rtcp-fb": _match(r"(\d+|\*) (nack|nack pli|goog-remb)"),
    "rtpmap": str,
    "sctp-port": _match(r"\d+"),
    "sctpmap": _match(r"\d+ \S.*"),
    "setup": _match("actpass|active|passive"),
    "ssrc": lambda _: None,
    "ssrc-group": lambda _: None,
}
"""Attributes on which aiortc fails if they are not as it expects; such a line is left out.

So are those that make it slow and are of no use here: nothing is received, so no `ssrc` is.
"""


def _keep_codecs(head: list[str], sections: dict[int, Section]) -> dict[int, Section]:
    """Return the sections of which aiortc has a codec, and those without media."""
    media = SessionDescription.parse(_join_sections(head, sections.values())).media
    found = {
        at: section
        for (at, section), parsed in zip(sections.items(), media, strict=True)
        if section.kind == "application"
        or find_common_codecs(CODECS[section.kind], parsed.rtp.codecs)
    }
    for kind in ("video",):
        offers = any(section.kind == kind for section in sections.values())
        # An offer with video must not become one without it: the driver has to see.
        if offers and not any(section.kind == kind for section in found.values()):
            message = "the offer has none of this robot's video codecs: VP8, or H264 baseline"
            raise Unacceptable("not_acceptable", message)
    return found


def _check_transport(section: Section, head: list[str]) -> None:
    for name in _TRANSPORT:
        if not _has([*section.lines, *head], name):
            what = f"the offer's {section.kind} section has no a={name}"
            raise Unacceptable("not_acceptable", f"{what}: send what createOffer returns, whole")


def _check_mids(sections: list[Section]) -> None:
    """Raise Unacceptable if a mid names two sections, or a section has two (RFC 5888, section 4).

    aiortc takes one that bundles them, fails on its answer, and then on its own end.
    """
    mids = [_read_mids(section) for section in sections]
    if any(len(each) > 1 for each in mids):
        wrong = "a media section of the offer has more than one a=mid"
    elif len(set().union(*mids)) < sum(map(len, mids)):
        wrong = "two media sections of the offer have the same a=mid"
    else:
        return
    raise Unacceptable("not_acceptable", f"{wrong}: send what createOffer returns, whole")


def _read_mids(section: Section) -> set[str]:
    return {line[6:] for line in section.lines if _name(line) == "mid"}


def _join_sections(head: list[str], sections: Iterable[Section]) -> str:
    """Return a description of these sections; no group names another one."""
    sections = list(sections)
    mids = set().union(*map(_read_mids, sections))
    lines = [
        _trim_bundle(line, mids) if line.startswith("a=group:BUNDLE") else line for line in head
    ]
    return _join_lines(lines) + "".join(map(str, sections))


def _trim_bundle(line: str, mids: set[str]) -> str:
    name, *named = line.split()
    # aiortc takes a mid that comes twice for bundled with itself, and stops its transport.
    return " ".join([name, *(mid for mid in dict.fromkeys(named) if mid in mids)])


def _reject(section: Section) -> Section:
    mid = [line for line in section.lines if _name(line) == "mid"]
    return replace(section, port=0, lines=("c=IN IP4 0.0.0.0", *mid, "a=inactive"))


def _has(lines: Iterable[str], *names: str) -> bool:
    return any(_name(line) in names for line in lines)


def _name(line: str) -> str | None:
    """Return the name of the attribute that a line is, None for other lines."""
    return line[2:].partition(":")[0] if line.startswith("a=") else None


def _join_lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
