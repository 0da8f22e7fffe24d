"""Poses as netCDF files, which xarray reads and movement takes."""

import numpy as np

from skpose._files import reading
from skpose.poses._dataset import check_poses

_ENGINE = "scipy"  # is there always; what it writes, all of netCDF's libraries read


def write_netcdf(path, poses, video=None):
    """Write a Dataset of poses as it is."""
    attributes = {} if video is None else {"source_file": str(video)}
    poses.assign_attrs(attributes).to_netcdf(path, engine=_ENGINE)


def read_netcdf(path):
    """Read a Dataset of poses, of skpose or of movement, from netCDF 3 or 4."""
    import xarray as xr

    with reading(path, "netCDF"), path.open("rb") as file:
        is_classic = file.read(3) == b"CDF"
        file.seek(0)
        # Others need h5netcdf or netcdf4. SciPy leaves a damaged file open, but not one of ours.
        source, engine = (file, _ENGINE) if is_classic else (path, None)
        try:
            poses = check_poses(xr.load_dataset(source, engine=engine, decode_times=False))
        except MemoryError as error:
            raise ValueError("it declares more data than memory holds") from error
    if poses["frame"].dtype.kind in "iu":
        poses = poses.assign_coords(frame=poses["frame"].astype(np.int64))
    if poses.attrs.get("time_unit") == "frames":
        poses = poses.assign_coords(time=poses["time"].astype(np.int64))
    return poses
