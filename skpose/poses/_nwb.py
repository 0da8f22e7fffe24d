"""Poses as NWB files with the extension ndx-pose."""

from datetime import UTC, datetime
from uuid import uuid4

import numpy as np

from skpose._files import reading, with_ending
from skpose.poses._dataset import ONLY_ONE, from_numpy

# Where movement and sleap-io look for poses if they are not told.
_MODULE, _ESTIMATION = "behavior", "PoseEstimation"
_FRAME = "(0, 0) is the centre of the first pixel, x to the right and y down."
_SECONDS = "seconds"


def write_nwb(path, poses, video=None):
    """Write the poses of one individual, with the time of each frame."""
    pynwb, ndx_pose = _import()
    if poses.sizes["individual"] != 1:
        names = ", ".join(map(str, poses["individual"].values))
        raise ValueError(
            f"An NWB file is of one individual, but there are {names}. Write each to a file of its "
            "own: poses.sel(individual=[name])."
        )
    if poses.attrs.get("time_unit") != _SECONDS:
        raise ValueError(
            "An NWB file has times in seconds, which these poses do not know. Give read_poses or "
            "from_numpy the frame_rate."
        )
    name = str(poses["individual"].values[0])
    file = pynwb.NWBFile(
        session_description="Poses that skpose estimated.",
        identifier=str(uuid4()),
        session_start_time=datetime.now(UTC),  # that of the recording is not known
        subject=pynwb.file.Subject(subject_id=name),
    )
    module = file.create_processing_module(_MODULE, "Poses of the animal.")
    names = [str(keypoint) for keypoint in poses["keypoint"].values]
    skeleton = ndx_pose.Skeleton(name="skeleton", nodes=names)
    module.add(ndx_pose.Skeletons(skeletons=[skeleton]))
    module.add(
        ndx_pose.PoseEstimation(
            name=_ESTIMATION,
            pose_estimation_series=[_series(ndx_pose, poses, k) for k in range(len(names))],
            description=f"Positions of bodyparts in {video or 'a video'}.",
            source_software="skpose",
            skeleton=skeleton,
        )
    )
    with with_ending(path, ".nwb") as named, pynwb.NWBHDF5IO(str(named), "w") as io:
        io.write(file)


def _series(ndx_pose, poses, k):
    of_one = poses.isel(keypoint=k, individual=0)
    return ndx_pose.PoseEstimationSeries(
        name=str(poses["keypoint"].values[k]),
        data=of_one["position"].transpose("time", "space").values,
        reference_frame=_FRAME,
        confidence=of_one["confidence"].values,
        confidence_definition="Height of the peak of the confidence map.",
        timestamps=of_one["time"].values.astype(float),
    )


def read_nwb(path):
    """Read the poses of an NWB file, those that skpose wrote and others with ndx-pose."""
    pynwb, _ = _import()
    with reading(path, "an NWB file"), pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
        file = io.read()
        found = [
            container
            for module in file.processing.values()
            for container in module.data_interfaces.values()
            if container.neurodata_type == "PoseEstimation"
        ]
        if len(found) != 1:
            raise ValueError(f"it has {len(found)} containers PoseEstimation, but one is read")
        series = list(found[0].pose_estimation_series.values())
        if found[0].skeleton is not None:  # knows the order
            names = [str(node) for node in found[0].skeleton.nodes[:]]
            series.sort(key=lambda one: names.index(one.name) if one.name in names else len(names))
        keypoints = np.stack([np.asarray(one.data)[:, :2] for one in series], axis=1)
        confidence = np.stack([_confidence(one) for one in series], axis=1)
        times = _times(series[0])
        individual = file.subject.subject_id if file.subject is not None else None
        names = [one.name for one in series]
    return from_numpy(
        keypoints[:, np.newaxis],
        confidence[:, np.newaxis],
        names=names,
        individuals=[individual or ONLY_ONE],
        times=times,
    )


def _confidence(series):
    if series.confidence is None:
        return np.full(len(series.data), np.nan)
    return np.asarray(series.confidence)


def _times(series):
    if series.timestamps is not None:
        return np.asarray(series.timestamps)
    return (series.starting_time or 0.0) + np.arange(len(series.data)) / series.rate


def _import():
    try:
        import ndx_pose
        import pynwb
    except ImportError as error:
        raise ImportError(
            "NWB files are read and written by pynwb and ndx-pose: pip install 'skpose[formats]'.",
            name=error.name,
        ) from error
    return pynwb, ndx_pose
