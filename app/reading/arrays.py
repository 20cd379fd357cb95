"""Name the arrays that the reader works with, by what they hold."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]  # positions of rows
Codes = npt.NDArray[np.int32]  # the series of each row
Offsets = npt.NDArray[np.int16]  # minutes east of UTC
Times = npt.NDArray[np.datetime64]  # datetime64[us]
Objects = npt.NDArray[np.object_]
Packed = npt.NDArray[np.bytes_]
Bytes = npt.NDArray[np.uint8]
Cells = Objects | Packed
