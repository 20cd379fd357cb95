"""The chapter's ideas as small programs that run by themselves."""

import os

# Matrices here are small: BLAS threads that wait for each other took ten times as long.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
