"""What `stepahead api` does: one uvicorn server, or several processes behind one socket."""

import asyncio
import gc
import os
import signal
import socket
from contextlib import ExitStack
from functools import partial
from types import FrameType
from typing import cast

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from app.config import Settings
from app.http.server.connection import protocol_class
from app.http.server.connections import Connections, raise_descriptor_limit
from app.main import create_app
from app.process.gc_tuning import WHILE_SERVING, look_for_garbage_seldom
from app.process.lifeline import Lifeline, end_with
from app.process.listening import listen
from app.process.notice_board import NoticeBoard, read_notices
from app.process.programs import Inherited, child_environment, grace_seconds
from app.process.running import running_apis, tend_until_ready, tend_until_stopped
from app.process.stopping import Stopping, exit_at_once


def run_api(
    settings: Settings,
    *,
    database_url: str,
    listener: socket.socket,
    inherited: Inherited | None = None,
) -> None:
    """Serve on a socket until SIGTERM or Ctrl-C, then drain within `drain_seconds`.

    Args:
        settings: of this process.
        database_url: a migrated database.
        listener: a listening socket, possibly shared with other processes.
        inherited: what the supervisor handed on, if there is one.
    """
    # Until uvicorn installs its handlers, and again when it re-raises the signal after draining.
    signal.signal(signal.SIGTERM, _leave)
    raise_descriptor_limit()
    if inherited is None:
        application = create_app(settings, database_url=database_url)
    else:
        end_with(inherited.lifeline, grace_seconds=grace_seconds(settings))
        application = create_app(
            settings,
            database_url=database_url,
            notices=partial(read_notices, inherited.board),
            slot=inherited.figures,
        )
    collect_garbage_seldom()
    uvicorn.Server(server_config(application, settings)).run(sockets=[listener])


def collect_garbage_seldom() -> None:
    """Collect cyclic garbage less often than Python does by default."""
    gc.freeze()  # what is loaded by now stays, so full collections can skip it
    look_for_garbage_seldom(WHILE_SERVING)


def server_config(application: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return how an api process serves."""
    connections = Connections(settings, metrics=application.state.metrics)
    return uvicorn_config(application, settings, connections)


def uvicorn_config(
    application: ASGIApp, settings: Settings, connections: Connections
) -> uvicorn.Config:
    """Return how uvicorn runs an app behind our own HTTP server."""
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", protocol_class(connections)),
        backlog=connections.backlog,
        ws="none",
        proxy_headers=False,  # only the cap on connections depends on the caller's address
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )


def run_apis(settings: Settings, *, database_url: str) -> None:
    """Run `api_processes` processes behind one socket until SIGTERM or Ctrl-C.

    Raises:
        CannotListen: the port is not free; nothing was started.
        GivenUp: a process keeps dying, and none has ever been ready.
    """
    with Stopping() as stopping, ExitStack() as parts:
        listener = parts.enter_context(listen(settings.host, settings.port))
        lifeline = parts.enter_context(Lifeline())
        board = parts.enter_context(NoticeBoard())
        environment = child_environment(settings, database_url)
        apis = parts.enter_context(
            running_apis(settings, stopping, lifeline, environment, listener=listener, board=board)
        )
        tend_until_ready(apis, stopping, listener, board)
        tend_until_stopped(apis, stopping, board)


def inherited_socket(descriptor: int) -> socket.socket:
    """Return the listening socket that a supervisor opened."""
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    exit_at_once()
