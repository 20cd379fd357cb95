"""The fixed sizes of the universal network: what it sees, what it gives, what it chooses from."""

from dataclasses import dataclass

PATCH = 8  # values per step of the LSTM
CONTEXT = 1024  # values the served graph sees
STEPS = 48  # LSTM steps of the served graph, the last patches of the context
HORIZON = 64  # native; longer forecasts are rolled
PERIODS = 2  # a season and a longer one
LEAST_VALUES = 3
QUANTILES = (0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995)
MEDIAN = QUANTILES.index(0.5)

# Seasonal treatments: what is taken off the series before its level and trend are continued.
SEASONS = (
    "none",
    "last season",
    "mean season",
    "mean season, multiplied",
    "mean longer season",
    "both seasons",
    "smooth season",
)
# Ways to continue the rest.
TRENDS = (
    "zero",
    "last value",
    "level 1.5",
    "level 5",
    "level 20",
    "line 5",
    "line 20",
    "line 80",
    "theta",
)
# Steps ahead at which the network sets weights and the shape of the spread; linear in log(h)
# between them.
KNOTS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class Form:
    """Sizes of one network, and of the series it is run on."""

    context: int = CONTEXT
    steps: int = STEPS
    units: int = 128
    layers: int = 2
    hidden: int = 192

    @property
    def patches(self) -> int:
        """Patches in the context."""
        return self.context // PATCH
