"""A network of its own for the processes of a test: a Linux network namespace, and its firewall.

What is lost there is lost by the kernel, for every program, as on a bad radio link. Needs the
programs below, and a kernel that lets the user make namespaces; no root.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.coturn import RELAY_PORTS

ADDRESS = "10.9.0.1"
"""Of every process in it: browsers and robots leave out loopback for media."""

TURN_PORT = 3478

MDNS_PORT = 5353

ALL = 100
"""All packets, in percent."""

_PROGRAMS = ("unshare", "nsenter", "ip", "tc", "nft")
_MISSING = "no {} found. Install it: sudo apt-get install util-linux iproute2 nftables"

_SET_UP = f"""set -e
ip link set lo up
ip link add eth0 type veth peer name far
ip address add {ADDRESS}/24 dev eth0
ip link set eth0 up
ip link set far up
ip route add default dev eth0
nft -f - <<'RULES'
table inet path {{
  counter lost {{ }}
  counter reached {{ }}
  chain firewall {{ type filter hook input priority 0; policy accept; }}
}}
RULES
echo ready
exec cat"""


class Network:
    """A network that is up. Signaling, which goes over TCP, is never disturbed."""

    def __init__(self, within: tuple[str, ...], nft: str, tc: str) -> None:
        self.within = within
        """What a command line begins with so that it runs in this network."""
        self._tc = tc
        self._firewall = (*within, nft, "-f", "-")

    def open(self) -> None:
        """Let everything pass."""
        self._replace()

    def lose(self, percent: int) -> None:
        """Lose this part of all UDP packets, 0 to 100, each by chance, in either direction."""
        # Names are looked up over UDP as well, and are no part of the path.
        media = f"meta l4proto udp udp dport != {MDNS_PORT} udp sport != {MDNS_PORT}"
        # nft refuses a comparison that is always true.
        chance = f"numgen random mod 100 < {percent}" if percent < ALL else ""
        self._replace(
            f"{media} {chance} counter name lost drop",
            f"{media} counter name reached",
        )

    def close_direct_paths(self) -> None:
        """Have a firewall between the peers: a packet passes only if the TURN server has a part."""
        lowest, highest = RELAY_PORTS
        ports = f"{{ {TURN_PORT}, {lowest}-{highest}, {MDNS_PORT} }}"
        self._replace(f"udp dport != {ports} udp sport != {ports} drop")

    def close_all_but_the_server(self) -> None:
        """Have each peer reach nothing but the TURN server: relays meet relays only."""
        lowest, highest = RELAY_PORTS
        relays = f"{lowest}-{highest}"
        server = f"{{ {TURN_PORT}, {MDNS_PORT} }}"
        self._replace(
            f"udp dport {server} accept",
            f"udp sport {server} accept",
            f"udp dport {relays} udp sport {relays} accept",
            "meta l4proto udp drop",
        )

    def slow_down(self, port: int, kilobits: int) -> None:
        """Let so many kbit/s through to a UDP port; what is more waits in a queue, as in a modem.

        Lasts as long as the network.
        """
        for command in (
            "qdisc add dev lo root handle 1: htb default 1",
            "class add dev lo parent 1: classid 1:1 htb rate 1gbit quantum 60000",
            f"class add dev lo parent 1: classid 1:2 htb rate {kilobits}kbit",
        ):
            subprocess.run([*self.within, self._tc, *command.split()], check=True)
        self._nft(
            "add chain inet path queue_of { type filter hook output priority 0; }\n"
            f"add rule inet path queue_of udp dport {port} meta priority set 0x10002"
        )

    def count_lost(self) -> tuple[int, int]:
        """Return how many UDP packets were lost, and how many were not, under `lose`."""
        lost, reached = (
            int(self._nft(f"list counter inet path {name}").split("packets ")[1].split()[0])
            for name in ("lost", "reached")
        )
        return lost, reached

    def _replace(self, *rules: str) -> None:
        """Put these rules in place of all others, in one step."""
        lines = [f"add rule inet path firewall {rule}" for rule in rules]
        self._nft("\n".join(["flush chain inet path firewall", *lines]))

    def _nft(self, script: str) -> str:
        done = subprocess.run(
            self._firewall, input=script, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        return done.stdout


@contextmanager
def own_network() -> Iterator[Network]:
    """Have a network until left.

    Without the programs the test is skipped, or fails when CI=true; where the kernel makes no
    namespace, as in most containers, it is skipped.
    """
    # `ip` and `nft` are where Debian's users do not look.
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    found = {program: shutil.which(program, path=path) for program in _PROGRAMS}
    for program, place in found.items():
        if place is None:
            missing = _MISSING.format(program)
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    holder = subprocess.Popen(
        [str(found["unshare"]), "--map-root-user", "--net", "sh", "-c", _SET_UP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PATH": path},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stderr is not None
        if holder.stdout.readline() != "ready\n":
            pytest.skip(f"this kernel gives no network of its own: {holder.stderr.read().strip()}")
        target = str(holder.pid)
        into = ("--target", target, "--user", "--net", "--preserve-credentials")
        yield Network((str(found["nsenter"]), *into), str(found["nft"]), str(found["tc"]))
