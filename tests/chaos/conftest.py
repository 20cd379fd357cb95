from pytest import TerminalReporter  # noqa: PT013 - a type

from tests.chaos.table import IN_FULL, NOTES, TABLE, lines


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if IN_FULL and TABLE:
        terminalreporter.section("chaos")
        for line in (*lines(), *NOTES):
            terminalreporter.write_line(line)
