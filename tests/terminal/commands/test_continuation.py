from pathlib import Path

from app.terminal.commands.continuation import question_after


def test_of_many_series_the_longest_is_asked_after() -> None:
    series = [
        {"label": "new", "rows": 20, "end": "2024-12-31"},
        {"label": "old", "rows": 700, "end": "2024-12-31"},
        {"label": "other", "rows": 700, "end": "2024-12-31"},
    ]
    dataset = {"id": "1", "kind": "series", "report": {"series_count": 3, "series": series}}
    told, fields = question_after(dataset, Path("sales.csv"), {})
    assert told == "old, 2024-12-31"
    assert fields == {"dataset": "1", "series": "old"}
