"""Decide which scope a call needs and which model it concerns."""

import re
from functools import lru_cache

from app.http.caller import Scope

# Calls that `predict` allows: use models and send actual values. Other calls need `train`, except
# that deletions and calls about keys need `admin`.
FOR_PREDICT = frozenset(
    {
        ("GET", "/docs"),
        ("GET", "/metrics"),
        ("GET", "/models"),
        ("GET", "/openapi.json"),
        ("GET", "/recipes"),
        ("POST", "/actuals"),
        ("POST", "/explain"),
        ("POST", "/predict"),
        ("POST", "/predict/batch"),
    }
)
READS_OF_A_MODEL = re.compile(r"/models/[^/]+(/(versions(/[^/]+(/(report|gradients))?)?|monitor))?")
# What clients of other services call, to ask models.
FOREIGN = re.compile(
    r"/v2(/health/(live|ready)|/repository/index|/forecast|/cross_validation"
    r"|/models(/[^/]+)?(/versions/[^/]+)?(/(ready|config|stats|infer))?)?"
    r"|/v1/(timeseries/forecast|completions"
    r"|models(/[^/]+(/(v1/completions|tokenizer_info|tokenize|detokenize))?)?)"
    r"|/model_params|/validate_api_key"
    r"|/mcp"  # whose tools make calls of their own
)
FOREIGN_PATHS = ("/v1/", "/v2", "/mcp", "/model_params", "/validate_api_key")
ASSETS = ("/docs/assets/", "/ui/")
FOR_ADMIN = ("/keys", "/audit", "/refused")
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# needed_scope and model_of are called for every prediction: 0.1 us from the cache, 1 us without it.
REMEMBERED_PATHS = 1024
# In foreign paths an alias or a version may follow, as in /v2/models/NAME@ALIAS.
MODEL_PATH = re.compile(r"(/v[12])?/models/(?P<model>[^/@]+)")


@lru_cache(REMEMBERED_PATHS)
def needed_scope(method: str, path: str) -> Scope:
    """Return the scope that a call needs."""
    read = method in READING
    if path == "/session":
        return Scope.PREDICT
    if path.startswith(FOR_ADMIN) or method == "DELETE":
        return Scope.ADMIN
    if (("GET" if read else method), path) in FOR_PREDICT or FOREIGN.fullmatch(path):
        return Scope.PREDICT
    if read and (path.startswith(ASSETS) or READS_OF_A_MODEL.fullmatch(path)):
        return Scope.PREDICT
    return Scope.TRAIN


def is_foreign(path: str) -> bool:
    """Return whether clients of other services call this path."""
    return path.startswith(FOREIGN_PATHS)


@lru_cache(REMEMBERED_PATHS)
def model_of(path: str) -> str | None:
    """Return the model that a path names, or None if it names none."""
    found = MODEL_PATH.match(path)
    return None if found is None else found["model"]
