import os
from pathlib import Path

import pytest

from app.storage.embedded import EmbeddedPostgresError
from app.storage.embedded.account import (
    Account,
    account_of,
    current_account,
    run_as,
    service_account,
)

STRANGER = Account(uid=54321, gid=54321, name="stranger")


@pytest.mark.parametrize(("mode", "passes"), [(0o711, True), (0o755, True), (0o750, False)])
def test_others_than_owner_and_group_need_the_last_bit(
    place: Path, mode: int, *, passes: bool
) -> None:
    inner = place / "inner"
    inner.mkdir()
    inner.chmod(mode)
    below = inner / "below"
    below.mkdir(mode=0o755)
    assert STRANGER.can_pass(below) is passes


def test_owner_and_group_are_judged_by_their_own_bits(place: Path) -> None:
    inner = place / "inner"
    inner.mkdir()
    inner.chmod(0o611)
    owner = Account(uid=os.geteuid(), gid=54321, name=None)
    assert not owner.can_pass(inner)
    member = Account(uid=54321, gid=inner.stat().st_gid, name=None)
    assert member.can_pass(inner)
    inner.chmod(0o701)
    assert not member.can_pass(inner)


def test_a_user_id_without_a_name() -> None:
    assert account_of(54321).name is None
    assert str(account_of(54321)) == "user id 54321"
    assert str(STRANGER) == "user 'stranger'"


def test_without_a_tool_to_make_users_nobody_serves(tmp_path: Path) -> None:
    account = service_account("stepahead-no-such-user", tools=str(tmp_path))
    assert account.name == "nobody"
    assert account.uid != 0


def test_a_tool_that_fails_falls_back_too(tmp_path: Path) -> None:
    useradd = tmp_path / "useradd"
    useradd.write_text("#!/bin/sh\necho 'cannot open /etc/passwd' >&2\nexit 1\n")
    useradd.chmod(0o755)
    assert service_account("stepahead-no-such-user", tools=str(tmp_path)).name == "nobody"


def test_root_under_another_name_is_refused() -> None:
    with pytest.raises(EmbeddedPostgresError, match="refuses to run as root"):
        service_account("root")


def test_programs_run_in_a_plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/nowhere")
    done = run_as(current_account(), ["/usr/bin/env"], action="look")
    assert "PGDATA" not in done.stdout
    assert "LC_ALL=C" in done.stdout


def test_becoming_another_user_is_refused_with_a_reason() -> None:
    if os.geteuid() == 0:
        os.seteuid(account_of(65534).uid)
    try:
        with pytest.raises(EmbeddedPostgresError, match="may not become another user"):
            run_as(STRANGER, ["/bin/true"], action="run PostgreSQL")
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
