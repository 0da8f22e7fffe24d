"""Poses over time: an `xarray.Dataset` in the layout of movement, read from files and written.

`position` (x and y in pixels; NaN: no pose) and `confidence` (0 to 1; NaN: not told) lie over the
dimensions ``time``, ``space``, ``keypoint`` and ``individual``, so that movement's tools take the
poses as they are. ``time`` is in seconds where the frame rate is known, else it is the number of
the frame, which stands in the coordinate ``frame`` always.
"""

from skpose.poses._dataset import check_poses, from_numpy, to_movement, to_numpy
from skpose.poses._pandas_hdf5 import is_table, write_table
from skpose.poses._read import read_poses
from skpose.poses._tables import read_table
from skpose.poses._write import check_poses_path, ending_of, write_poses, write_rows

__all__ = [
    "check_poses",
    "check_poses_path",
    "ending_of",
    "from_numpy",
    "is_table",
    "read_poses",
    "read_table",
    "to_movement",
    "to_numpy",
    "write_poses",
    "write_rows",
    "write_table",
]
