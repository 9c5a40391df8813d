"""A network of several machines on this one: a namespace each, joined by a bridge.

Only root can make it. Everybody else gets machines that share this one's loopback, whose network
cannot be cut.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from secrets import token_hex

from tests.support.programs import skip_for_want

_NOWHERE = "02:00:00:00:00:01"
_SUBNETS = 256


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of the network.

    Attributes:
        address: Its IP address.
        namespace: The name of its network namespace, or None on loopback.
    """

    address: str
    namespace: str | None = None

    @property
    def prefix(self) -> tuple[str, ...]:
        """The beginning of a command that is to run there."""
        return ("ip", "netns", "exec", self.namespace) if self.namespace else ()


@dataclass(slots=True)
class Network:
    """Machines, and the bridge between them, to which this machine is connected, too.

    Attributes:
        range: All addresses.
        machines: In their order.
    """

    range: str
    machines: list[Machine]
    _hardware: dict[str, str] = field(default_factory=dict)

    def require_cuts(self) -> None:
        """Skip the test where nothing can be cut."""
        if self.machines[0].namespace is None:
            skip_for_want("only root can make network namespaces, with the program ip")

    @contextmanager
    def unplugged(self, machine: Machine) -> Iterator[None]:
        """Lose every packet from and to a machine."""
        port = f"{machine.namespace}h"
        _ip("link", "set", port, "down")
        try:
            yield
        finally:
            _ip("link", "set", port, "up")

    @contextmanager
    def isolated(self, machine: Machine) -> Iterator[None]:
        """Lose every packet between one machine and the others; this one reaches all of them."""
        others = [each for each in self.machines if each != machine]
        pairs = [pair for each in others for pair in ((machine, each), (each, machine))]
        for here, there in pairs:
            _send_to(here, there.address, _NOWHERE)
        try:
            yield
        finally:
            for here, there in pairs:
                _send_to(here, there.address, self._hardware[there.address])


def can_be_cut() -> bool:
    """Return True if this machine lets us make namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"sr{token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if made.returncode == 0:
        _ip("netns", "delete", name)
    return made.returncode == 0


@contextmanager
def network(size: int) -> Iterator[Network]:
    """So many machines, until the block ends."""
    if not can_be_cut():
        yield Network("127.0.0.0/8", [Machine("127.0.0.1")] * size)
        return
    bridge = f"sr{token_hex(3)}"
    machines: list[Machine] = []
    try:
        subnet = _add_bridge(bridge)
        made = Network(f"{subnet}.0/24", machines)
        for number in range(1, size + 1):
            machine = Machine(f"{subnet}.{number}", f"{bridge}{number}")
            machines.append(machine)
            made._hardware[machine.address] = _add_machine(bridge, machine)
        yield made
    finally:
        for machine in machines:
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", str(machine.namespace))
        with suppress(subprocess.CalledProcessError):
            _ip("link", "delete", bridge)


def _add_bridge(bridge: str) -> str:
    """Make a bridge with the address 254 of a network that nobody uses, and return the network."""
    used = subprocess.run(
        ["ip", "-4", "address"], capture_output=True, text=True, check=True
    ).stdout
    # 198.18.0.0/15 is for measurements between networks (RFC 2544).
    subnet = next(
        subnet for number in range(_SUBNETS) if f" {(subnet := f'198.18.{number}')}." not in used
    )
    _ip("link", "add", bridge, "type", "bridge")
    _ip("address", "add", f"{subnet}.254/24", "dev", bridge)
    _ip("link", "set", bridge, "up")
    return subnet


def _add_machine(bridge: str, machine: Machine) -> str:
    """Make a namespace that is joined to a bridge, and return its hardware address."""
    name = str(machine.namespace)
    _ip("netns", "add", name)
    _ip("link", "add", f"{name}h", "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("link", "set", f"{name}h", "master", bridge, "up")
    for command in (
        ("address", "add", f"{machine.address}/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("link", "set", "lo", "up"),
    ):
        _ip("-n", name, *command)
    shown = _ip("-n", name, "-o", "link", "show", "eth0").split()
    return shown[shown.index("link/ether") + 1]


def _send_to(machine: Machine, address: str, hardware: str) -> None:
    """Say where a machine sends its packets for an address."""
    entry = ("neigh", "replace", address, "lladdr", hardware, "dev", "eth0", "nud", "permanent")
    _ip("-n", str(machine.namespace), *entry)


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout
