"""A reader that does what the file says; stands in for app.datasets.reader_child."""

import argparse
import hashlib
import os
import signal
import time
from multiprocessing.connection import Connection

from app.datasets.reader_messages import (
    Answer,
    OutOfMemory,
    ReadRequest,
    Ready,
    Refused,
    Understood,
)
from app.errors import FieldError
from app.reading.content import TextContent
from app.reading.report import Report, TextReport


def answer(request: ReadRequest) -> Answer:
    text = request.path.read_text()
    seen_before = (request.temporary_folder / "unpacked").exists()
    (request.temporary_folder / "unpacked").write_text("left behind")
    if text == "die" or (text == "die once" and not seen_before):
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "exit":
        os._exit(3)
    if text == "hang":
        time.sleep(600)
    if text == "large":
        return OutOfMemory()
    if text == "refuse":
        return Refused(
            detail="row 3: no number",
            errors=(FieldError(message="no number", row=3, column="Open"),),
            report=Report(warnings=["odd"]).model_dump(mode="json"),
        )
    content = TextContent(text=text).to_bytes()
    request.content_path.write_bytes(content)
    report = Report(
        kind="text",
        kind_reason=f"{request.filename} {request.options.canonical()} {os.getpid()}",
        text=TextReport(characters=len(text), lines=1, words=1),
    )
    return Understood(
        sha256=hashlib.sha256(content).hexdigest(), report=report.model_dump(mode="json")
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    pipe = Connection(parser.parse_args().fd)
    pipe.send(Ready())
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        pipe.send(answer(request))


if __name__ == "__main__":
    main()
