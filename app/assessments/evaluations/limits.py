"""How much is measured at once, and of what; for the api, which does not measure itself."""

from typing import Literal

Network = Literal["judged", "served"]
# Of a series: 50,000 rows took the default network 10 s on a busy core.
MOST_ROWS = 200_000
MOST_NUMBERS = 50_000_000  # rows times window times columns: what the windows hold, 400 MB
MOST_CHARACTERS = 1_000_000  # of a text; its tokens are counted where it is read
CPU_SECONDS = 180
# Kept among a scorecard's notes, and told from them whether it should be made again.
TRAINING_ABSENT = (
    "the data it was trained on are not here: baselines that are fitted on them are missing, and "
    "rows of them would not be recognised; upload that file and evaluate again"
)
