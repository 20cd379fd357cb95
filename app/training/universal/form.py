"""Define the fixed sizes of the universal network."""

from dataclasses import dataclass

PATCH = 8  # values per step of the LSTM
CONTEXT = 1024  # values that the served graph sees
STEPS = 48  # LSTM steps of the served graph, the last patches of the context
HORIZON = 64  # steps forecast at once; longer forecasts are fed back
PERIODS = 2  # a season and a longer one
LEAST_VALUES = 3
QUANTILES = (0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995)
MEDIAN = QUANTILES.index(0.5)

# Seasonal treatments: what is removed from the series before its level and trend are continued.
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
    """Sizes of a network and of its series."""

    context: int = CONTEXT
    steps: int = STEPS
    units: int = 128
    layers: int = 2
    hidden: int = 192

    @property
    def patches(self) -> int:
        """Number of patches in the context."""
        return self.context // PATCH
