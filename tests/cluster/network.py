"""Hosts in network namespaces of our own, joined by a switch, any of which can be cut off."""

import ctypes
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

CLONE_NEWNET = 0x40000000
NAMESPACES = Path("/run/netns")
PROGRAM = shutil.which("ip") or "/usr/sbin/ip"  # from iproute2
Answer = TypeVar("Answer")


def why_not() -> str | None:
    """Return why no namespaces can be created on this machine, or None if they can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if shutil.which(PROGRAM) is None:
        return "the program `ip` is missing (apt-get install iproute2)"
    name = f"sa-try-{secrets.token_hex(3)}"
    tried = subprocess.run(
        [PROGRAM, "netns", "add", name], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        return f"network namespaces are not allowed here: {tried.stderr.strip()}"
    subprocess.run([PROGRAM, "netns", "delete", name], check=True)
    return None


def ip(*arguments: str) -> None:
    subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True)


@dataclass
class Host:
    """A host with its own address."""

    namespace: str
    address: str
    _switch: str
    _port: str  # the switch's end of its cable
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, *command: str, environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a program on the host; it ends with the host."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                [PROGRAM, "netns", "exec", self.namespace, *command],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def run(self, *command: str, environment: Mapping[str, str]) -> None:
        """Run a program on the host until it ends."""
        subprocess.run(
            [PROGRAM, "netns", "exec", self.namespace, *command],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )

    def cut_off(self) -> None:
        """Drop everything to and from the host, without closing anything."""
        ip("-n", self._switch, "link", "set", self._port, "down")

    def bring_back(self) -> None:
        """Resume forwarding."""
        ip("-n", self._switch, "link", "set", self._port, "up")

    def end(self) -> None:
        """End the programs that were started here."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


class Network:
    """A switch and its hosts; the test itself runs at the switch."""

    def __init__(self, switch: str) -> None:
        self._switch = switch

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Call a function at the switch, from where it reaches all hosts, and return its result."""
        answers: list[Answer] = []
        errors: list[BaseException] = []

        def call() -> None:
            try:
                enter(self._switch)
                answers.append(question())
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return answers[0]


def enter(namespace: str) -> None:
    """Move the calling thread into a namespace, so that it opens its next sockets there."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(NAMESPACES / namespace, os.O_RDONLY)
    try:
        if library.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns failed")
    finally:
        os.close(descriptor)


@contextmanager
def network(names: Sequence[str]) -> Iterator[tuple[Network, list[Host]]]:
    """Yield a network with this many hosts; afterwards end it and everything that runs on them."""
    tag = secrets.token_hex(2)
    switch = f"sa-{tag}-switch"
    with ExitStack() as parts:
        _add(switch, parts)
        ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", switch, "address", "add", "10.203.0.254/24", "dev", "bridge")
        ip("-n", switch, "link", "set", "bridge", "up")
        hosts = []
        for number, name in enumerate(names, start=1):
            host = Host(f"sa-{tag}-{name}", f"10.203.0.{number}", switch, f"port{number}")
            _add(host.namespace, parts)
            ip("-n", switch, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0")
            ip("-n", switch, "link", "set", "eth0", "netns", host.namespace)
            ip("-n", switch, "link", "set", f"port{number}", "master", "bridge", "up")
            ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
            ip("-n", host.namespace, "link", "set", "eth0", "up")
            hosts.append(host)
        for host in reversed(hosts):
            parts.callback(host.end)
        yield Network(switch), hosts


def _add(namespace: str, parts: ExitStack) -> None:
    ip("netns", "add", namespace)
    parts.callback(ip, "netns", "delete", namespace)
    ip("-n", namespace, "link", "set", "lo", "up")
