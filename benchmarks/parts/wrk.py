"""Generate load with wrk, an independent client. It is in Debian and Homebrew."""

import json
import re
import shutil
import subprocess
import tempfile

from benchmarks.parts.load import Load, load, request_bytes

SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[{body}]==]
"""
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def has_wrk() -> bool:
    """Return whether wrk is installed."""
    return shutil.which("wrk") is not None


def load_by_wrk(port: int, path: str, body: object, *, connections: int, seconds: int) -> Load:
    """Send the same POST over this many connections for this long, by wrk or by our own client."""
    if not has_wrk():
        request = request_bytes(path, body)
        return load(port, request, connections=connections, seconds=seconds)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(body=json.dumps(body)))
        script.flush()
        command = [
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{seconds}s", "--latency", "--script", script.name),
            f"http://127.0.0.1:{port}{path}",
        ]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return read_report(output)


def read_report(output: str) -> Load:
    """Parse what wrk prints with `--latency`."""
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    return Load(
        requests_per_second=float(_found(r"Requests/sec: +([\d.]+)", output)),
        median_ms=_milliseconds(_found(r"\n +50% +(\S+)", output)),
        p99_ms=_milliseconds(_found(r"\n +99% +(\S+)", output)),
        failures=(int(refused[1]) if refused else 0)
        + (sum(map(int, errors.groups())) if errors else 0),
        answers=int(_found(r"(\d+) requests in", output)),
    )


def _found(pattern: str, output: str) -> str:
    found = re.search(pattern, output)
    if found is None:
        raise ValueError(f"wrk's report has no {pattern!r}: {output}")
    return found[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * MILLISECONDS[unit]
