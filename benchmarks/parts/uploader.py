"""Upload a CSV again and again at the rate of a network, as cheaply as from another machine.

`python -m benchmarks.parts.uploader URL FILE ROWS` leaves out at least this many rows at the end of
the file, and prints a line for each successful upload.
"""

import http.client
import os
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

BYTES_PER_SECOND = 125_000_000  # 1 Gbit/s
PIECE_BYTES = 1 << 18
HEAD = b'--B\r\nContent-Disposition: form-data; name="file"; filename="large.csv"\r\n\r\n'
TAIL = b"\r\n--B--\r\n"


def main() -> None:
    """Upload until the process is ended."""
    url, name, skipped = sys.argv[1:]
    path = Path(name)
    for size in islice(shorter_and_shorter(path), int(skipped), None):
        upload(url, path, size)
        print(size, flush=True)


def shorter_and_shorter(path: Path) -> Iterator[int]:
    """Yield sizes in bytes that leave out one more row each time, so that every file is new."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(-(1 << 16), os.SEEK_END)
        for line in reversed(file.readlines()):
            size -= len(line)
            yield size


def upload(url: str, path: Path, size: int) -> None:
    """Upload the first bytes of a file, directly from the kernel's page cache.

    Raises:
        RuntimeError: the upload was refused.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
    connection.putrequest("POST", "/datasets")
    connection.putheader("Content-Type", "multipart/form-data; boundary=B")
    connection.putheader("Content-Length", str(len(HEAD) + size + len(TAIL)))
    connection.endheaders(HEAD)
    began = time.perf_counter()
    with path.open("rb") as file:
        sent = 0
        while sent < size:
            connection.sock.sendfile(file, sent, min(PIECE_BYTES, size - sent))
            sent = min(sent + PIECE_BYTES, size)
            time.sleep(max(0.0, began + sent / BYTES_PER_SECOND - time.perf_counter()))
    connection.send(TAIL)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != http.client.CREATED:
        raise RuntimeError(f"refused with {answer.status}: {body[:500]!r}")


if __name__ == "__main__":
    main()
