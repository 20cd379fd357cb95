"""The phases of a connection."""

from enum import IntEnum


class Phase(IntEnum):
    """The phases of a connection, in the order in which a request is read and answered."""

    IDLE = 0  # between two requests
    HEAD = 1  # a part of a head has arrived
    BODY = 2  # the head is complete
    ANSWER = 3  # the request is complete
    DISCARD = 4  # the answer was sent before the body was complete
    LINGER = 5  # the last answer was sent; further input is discarded
