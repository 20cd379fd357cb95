import os
from pathlib import Path

import pytest

from app.process.memory import read_memory

MIB = 1 << 20
MEMINFO = (
    "MemTotal:       8388608 kB\nMemFree:   100 kB\nMemAvailable:   4194304 kB\nHugePages: 0\n"
)


class Machine:
    """A proc file system and the cgroups that it refers to."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        self.groups = folder / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "meminfo").write_text(MEMINFO)

    def in_version_2(self, path: str, *, root: str = "/") -> None:
        self._in(f"0::{path}\n", f"31 23 0:28 {root} {self.groups} rw - cgroup2 cgroup2 rw\n")

    def in_version_1(self, path: str, *, root: str = "/") -> None:
        self._in(
            f"9:name=systemd:/\n4:memory:{path}\n0::/\n",
            f"32 31 0:29 / {self.groups}-cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
            f"35 31 0:32 {root} {self.groups} rw,relatime shared:9 - cgroup cgroup rw,memory\n",
        )

    def _in(self, groups: str, mounts: str) -> None:
        (self.proc / "self/cgroup").write_text(groups)
        (self.proc / "self/mountinfo").write_text(mounts)

    def group(self, path: str, **files: str) -> None:
        folder = self.groups / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / f"memory.{name}").write_text(f"{text}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_cgroups_the_machine_is_the_limit(machine: Machine) -> None:
    memory = read_memory(machine.proc)

    assert memory.limit_bytes == 8192 * MIB
    assert memory.available_bytes == 4096 * MIB


def test_memory_max_limits_a_container(machine: Machine) -> None:
    machine.in_version_2("/")
    stat = f"anon 5\nfile 7\ninactive_file {30 * MIB}"
    machine.group("", max=f"{512 * MIB}", current=f"{100 * MIB}", stat=stat)

    memory = read_memory(machine.proc)

    assert memory.limit_bytes == 512 * MIB
    assert memory.available_bytes == (512 - 100 + 30) * MIB


def test_the_limit_of_a_cgroup_above_counts(machine: Machine) -> None:
    machine.in_version_2("/pod/container")
    machine.group("pod", max=f"{1024 * MIB}", current=f"{1000 * MIB}", stat="anon 1")
    machine.group("pod/container", max="max", current=f"{10 * MIB}", stat="anon 1")

    memory = read_memory(machine.proc)

    assert memory.limit_bytes == 1024 * MIB
    assert memory.available_bytes == 24 * MIB


@pytest.mark.parametrize("root", ["/", "/docker/1f"])
def test_version_1_is_read_inside_and_outside_of_a_container(machine: Machine, root: str) -> None:
    machine.in_version_1("/docker/1f", root=root)
    machine.group(
        "docker/1f" if root == "/" else "",
        limit_in_bytes=f"{256 * MIB}",
        usage_in_bytes=f"{300 * MIB}",
        stat=f"inactive_file 1\ntotal_inactive_file {20 * MIB}",
    )

    memory = read_memory(machine.proc)

    assert memory.limit_bytes == 256 * MIB
    assert memory.available_bytes == 0


def test_a_cgroup_without_a_limit_limits_nothing(machine: Machine) -> None:
    machine.in_version_1("/")
    machine.group(
        "", limit_in_bytes="9223372036854771712", usage_in_bytes="5", stat="total_inactive_file 0"
    )

    assert read_memory(machine.proc).limit_bytes == 8192 * MIB


def test_a_system_without_proc_has_what_is_built_in(tmp_path: Path) -> None:
    memory = read_memory(tmp_path)

    assert memory.limit_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_this_machine_has_some() -> None:
    memory = read_memory()

    assert 0 < memory.available_bytes <= memory.limit_bytes
