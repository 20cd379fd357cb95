"""How much of what a network adds to its anchor was kept, in a sentence."""

NOTHING = (
    "the network adds nothing: on the validation rows no gain stood out from noise, so it "
    "forecasts what it is added to"
)
REASON = "is kept: so much stood out from noise on the validation rows"


def share_notes(share: float) -> tuple[str, ...]:
    """What the scorecard says of a share, 0 to 1; nothing where all of it was kept."""
    if share == 0:
        return (NOTHING,)
    return (f"of what the network adds, {100 * share:.3g} % {REASON}",) if share < 1 else ()
