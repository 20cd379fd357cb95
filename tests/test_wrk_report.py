"""Test what the benchmark reads from the reports of wrk 4.1 and 4.2."""

import pytest

from benchmarks.parts.wrk import read_report

REPORT = """\
Running 2s test @ http://127.0.0.1:45123/predict
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     8.07ms    1.62ms  21.50ms   81.20%
    Req/Sec     8.01k   312.11     8.52k    70.00%
  Latency Distribution
     50%    7.87ms
     75%    8.70ms
     90%    9.85ms
     99%    1.05s
  15934 requests in 2.00s, 6.12MB read
Requests/sec:   7963.20
Transfer/sec:      3.06MB
"""


def test_a_report_is_read() -> None:
    load = read_report(REPORT)
    assert (load.requests_per_second, load.answers) == (7963.2, 15934)
    assert (load.median_ms, load.p99_ms, load.failures) == (7.87, 1050.0, 0)


def test_microseconds_are_read() -> None:
    assert read_report(REPORT.replace("7.87ms", "615.00us")).median_ms == pytest.approx(0.615)


def test_failures_of_all_kinds_are_added_up() -> None:
    report = REPORT.replace(
        "Requests/sec:",
        "  Socket errors: connect 1, read 2, write 3, timeout 4\n"
        "  Non-2xx or 3xx responses: 5\nRequests/sec:",
    )
    assert read_report(report).failures == 15


def test_something_else_is_not_a_report() -> None:
    with pytest.raises(ValueError, match="wrk's report has no"):
        read_report("unable to connect to 127.0.0.1:45123 Connection refused\n")
