"""Errors, as the user at the terminal sees them. What prints them is imported when one is shown."""

import sys
from typing import Any


class CommandError(Exception):
    """An error that ends the command with a message instead of a traceback.

    Args:
        message: what is wrong and what to do.
        exit_code: of the process.
    """

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code

    def show(self) -> None:
        """Print the error to standard error."""
        from rich.console import Console
        from rich.text import Text

        # soft_wrap: text that may be copied from a message keeps its line.
        Console(file=sys.stderr, soft_wrap=True).print(
            Text.assemble(("Error: ", "bold red"), self.message)
        )


class Refused(CommandError):
    """The service answered with a problem (RFC 9457).

    Args:
        status: the HTTP status.
        problem: the decoded `application/problem+json`.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(problem_text(status, problem))
        self.status = status
        self.problem = problem

    def show(self) -> None:
        """Print the error and, if a file was refused, the report so far."""
        super().show()
        report = self.problem.get("report")
        if isinstance(report, dict):
            from rich.console import Console

            from app.terminal.rendering.preflight import show_report

            console = Console(file=sys.stderr, highlight=False)
            console.print("What was understood of the file:", style="dim")
            show_report(console, report)


def problem_text(status: int, problem: dict[str, Any]) -> str:
    """Return a problem as lines: title, status, detail, and the places that it leaves out."""
    detail = str(problem.get("detail") or "")
    lines = [f"{problem.get('title') or 'The service refused the request'} ({status})"]
    if detail:
        lines.append(detail)
    for error in problem.get("errors") or []:
        place = _place(error)
        message = str(error.get("message") or "")
        if message in detail and all(part in detail for part in place):
            continue
        lines.append(f"  {', '.join(place) or 'request'}: {message}")
    return "\n".join(lines)


def _place(error: dict[str, Any]) -> list[str]:
    named = {"field": "{}", "row": "row {}", "column": "column {}"}
    return [form.format(error[key]) for key, form in named.items() if error.get(key) is not None]
