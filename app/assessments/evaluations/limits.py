"""Limits on an evaluation; the api checks them but does not evaluate itself."""

from typing import Literal

Network = Literal["judged", "served"]
# Of a series: 50,000 rows took the default network 10 s on a busy core.
MOST_ROWS = 200_000
MOST_NUMBERS = 50_000_000  # rows times window times columns: 400 MB of windows
MOST_CHARACTERS = 1_000_000  # of a text; its tokens are counted when it is read
CPU_SECONDS = 180
# A note of the scorecard. An evaluation with this note is repeated once the data are here.
TRAINING_ABSENT = (
    "the data it was trained on are not here: baselines that are fitted on them are missing, and "
    "rows of them would not be recognised; upload that file and evaluate again"
)
