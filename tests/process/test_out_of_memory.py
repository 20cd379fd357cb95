from pathlib import Path

import pytest

from app.process.out_of_memory import out_of_memory_kills


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    (folder / "vmstat").write_text("nr_free_pages 7\noom_kill 12\n")
    return folder


def test_the_container_s_own_count_comes_first(proc: Path, tmp_path: Path) -> None:
    (proc / "self" / "cgroup").write_text("0::/system.slice/stepahead.service\n")
    group = tmp_path / "cgroups" / "system.slice" / "stepahead.service"
    group.mkdir(parents=True)
    (group / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert out_of_memory_kills(proc=proc, cgroups=tmp_path / "cgroups") == 2


def test_older_kernels_have_it_elsewhere(proc: Path, tmp_path: Path) -> None:
    (proc / "self" / "cgroup").write_text("5:cpu,cpuacct:/\n4:memory:/docker/abc\n0::/\n")
    group = tmp_path / "cgroups" / "memory" / "docker" / "abc"
    group.mkdir(parents=True)
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    assert out_of_memory_kills(proc=proc, cgroups=tmp_path / "cgroups") == 5


def test_without_a_container_the_machine_counts(proc: Path, tmp_path: Path) -> None:
    (proc / "self" / "cgroup").write_text("0::/\n")
    assert out_of_memory_kills(proc=proc, cgroups=tmp_path / "cgroups") == 12


def test_a_kernel_that_does_not_say_is_not_guessed_for(tmp_path: Path) -> None:
    assert out_of_memory_kills(proc=tmp_path, cgroups=tmp_path) is None
