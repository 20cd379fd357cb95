"""Let `import tensorflow` in a test file cost nothing until a test uses it.

Every process of a parallel run collects all tests, and one of them runs those that need TensorFlow,
whose import takes 5 seconds. The other libraries here took a third of the time of collecting.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType

import pytest

HEAVY = (
    "keras",
    "mcp",
    "nixtla",
    "openai",
    "pandas",
    "polars",
    "scipy",
    "sklearn",
    "tensorflow",
    "app.judging.mlp_baseline",  # imports scikit-learn
    "app.judging.text_mlp",
)
TENSORFLOW = ("keras", "tensorflow")
ASKED_OF_PACKAGES = {"__path__", "__version__"}  # by imports of their modules, by who names them
MARKER = "tensorflow"
HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None  # the light set-up has none

_item: ContextVar[pytest.Item | None] = ContextVar("_item", default=None)  # the test that runs


@contextmanager
def during(item: pytest.Item) -> Iterator[None]:
    """Attribute what is imported within the block to a test."""
    token = _item.set(item)
    try:
        yield
    finally:
        _item.reset(token)


def _require_marker(name: str) -> None:
    """Keep the light set-up honest: a test that imports TensorFlow says so by its marker."""
    item = _item.get()
    where = "an import of a test file" if item is None else f"{item.name}, without the marker,"
    if item is None or item.get_closest_marker(MARKER) is None:
        pytest.fail(
            f"{where} uses {name}: mark the test with @pytest.mark.{MARKER}, so that "
            "`make test-light` leaves it out, and use TensorFlow within tests only"
        )


def import_when_used(name: str) -> None:
    """Put a stand-in for a module in `sys.modules` that imports it at the first use."""
    spec = importlib.util.find_spec(name)
    if name in sys.modules:
        return
    stand_in = ModuleType(name)

    def ask(attribute: str) -> object:
        if name in TENSORFLOW and not attribute.startswith("_"):
            _require_marker(name)
        if sys.modules.get(name) is stand_in:
            if attribute.startswith("_") and attribute not in ASKED_OF_PACKAGES:
                raise AttributeError(attribute)  # pytest and `inspect` look at all there is
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    stand_in.__spec__, stand_in.__file__ = spec, spec.origin if spec else None
    stand_in.__dict__["__getattr__"] = ask
    sys.modules[name] = stand_in
