import os
from pathlib import Path

from app.storage.embedded.account import current_account
from app.storage.embedded.site import Site
from app.storage.embedded.socket_directory import (
    MAX_SOCKET_BYTES,
    SOCKET_NAME,
    close_socket_directory,
    is_private,
    open_socket_directory,
)


def site_of(home: Path) -> Site:
    home.mkdir(parents=True)
    return Site(home=home, account=current_account(), relocated=False)


def test_a_path_that_just_fits_stays_in_the_home(place: Path) -> None:
    used = len(os.fsencode(place)) + len("//socket/") + len(SOCKET_NAME)
    fitting = site_of(place / ("f" * (MAX_SOCKET_BYTES - used)))
    assert open_socket_directory(fitting) == fitting.home / "socket"
    longer = site_of(place / ("f" * (MAX_SOCKET_BYTES - used + 1)))
    elsewhere = open_socket_directory(longer)
    assert not elsewhere.is_relative_to(place)
    close_socket_directory(longer)
    assert not elsewhere.exists()


def test_a_temporary_one_is_used_again_after_a_crash_if_it_is_still_private(place: Path) -> None:
    site = site_of(place / ("long" * 30))
    first = open_socket_directory(site)
    assert open_socket_directory(site) == first
    first.chmod(0o755)
    second = open_socket_directory(site)
    assert second != first
    close_socket_directory(site)
    first.rmdir()


def test_a_link_or_an_open_directory_is_not_private(place: Path) -> None:
    account = current_account()
    private = place / "private"
    private.mkdir(mode=0o700)
    assert is_private(private, account)
    (place / "link").symlink_to(private)
    assert not is_private(place / "link", account)
    assert not is_private(place, account)
    assert not is_private(place / "missing", account)
