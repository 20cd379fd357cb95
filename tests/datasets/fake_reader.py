"""Do what the uploaded file says, in place of app.datasets.reader_child."""

import argparse
import hashlib
import os
import signal
import time
from multiprocessing.connection import Connection

from app.datasets.reader_messages import (
    Answer,
    DiskFull,
    Done,
    ErrandRequest,
    Order,
    OutOfMemory,
    ReadRequest,
    Ready,
    Refused,
    TooHeavy,
    Understood,
)
from app.datasets.reading_limits import SMALL_BYTES
from app.errors import FieldError
from app.reading.content import TextContent
from app.reading.report import Report, TextReport

COMMANDS: dict[str, Answer] = {
    "disk full": DiskFull(),
    "out of memory": OutOfMemory(),
    "refuse": Refused(
        detail="row 3: no number",
        errors=(FieldError(message="no number", row=3, column="Open"),),
        report=Report(warnings=["odd"]).model_dump(mode="json"),
    ),
    "unpacks to a terabyte": TooHeavy(unpacked_bytes=1 << 40),
}


def answer(order: Order) -> Answer:
    request = order.request
    if isinstance(request, ErrandRequest):
        return Done(result=request.errand.run())
    text = request.path.read_text()
    is_small = order.limits.unpacked_bytes == SMALL_BYTES
    left = request.temporary_folder / f"left by {'small' if is_small else 'large'}"
    is_first = not left.exists()
    left.write_text("unpacked")
    if text in {signal.SIGKILL.name, signal.SIGXCPU.name, signal.SIGABRT.name}:
        os.kill(os.getpid(), signal.Signals[text])
    if text == "die once" and (is_small or is_first):
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "exit":
        os._exit(3)
    if text == "hang":
        time.sleep(600)
    if text in COMMANDS:
        return COMMANDS[text]
    if text == "large" and is_small:
        return TooHeavy(unpacked_bytes=100 << 20)
    return understood(request, order)


def understood(request: ReadRequest, order: Order) -> Answer:
    text = request.path.read_text()
    content = TextContent(text=text).to_bytes()
    request.content_path.write_bytes(content)
    report = Report(
        kind="text",
        sheet=f"{request.filename} {request.options.canonical()} {os.getpid()}",
        encoding=f"{order.limits.cpu_seconds} s",
        text=TextReport(characters=len(text), lines=1, words=1),
    )
    return Understood(
        sha256=hashlib.sha256(content).hexdigest(), report=report.model_dump(mode="json")
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    pipe = Connection(parser.parse_args().fd)
    pipe.send(Ready())
    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        pipe.send(answer(order))


if __name__ == "__main__":
    main()
