"""Poses as SLEAP's predictions: project files and analysis files."""

import numpy as np

from skpose._files import reading, with_ending
from skpose._sleap_files import import_sleap_io, load_sleap, mark_as_own
from skpose.poses._dataset import ONLY_ONE, arrays_of, from_numpy, is_of_one

_NO_TRACK = "track_0"  # what sleap-io calls a track without a name
_NO_VIDEO = "video.mp4"  # which video it is, SLEAP must be told


def write_sleap(path, poses, video=None):
    """Write predicted instances, with a track for each individual that has a name."""
    labels = _labels_of(poses, video)
    mark_as_own(labels, "poses")
    with with_ending(path, ".slp") as named:
        labels.save(str(named), verbose=False)


def write_sleap_analysis(path, poses, video=None):
    """Write what SLEAP exports for analysis: arrays of tracks, from the first frame to the last."""
    labels = _labels_of(poses, video)
    with with_ending(path, ".h5") as named:
        import_sleap_io().save_analysis_h5(labels, str(named), all_frames=True)


def _labels_of(poses, video):
    sio = import_sleap_io()
    frames = poses["frame"].values
    if frames.dtype.kind not in "iu":
        raise ValueError(
            "SLEAP's files are of the frames of a video, which have numbers, but these poses are "
            "of images in files."
        )
    skeleton = sio.Skeleton([str(name) for name in poses["keypoint"].values])
    place = sio.Video(str(video or _NO_VIDEO), open_backend=False)
    names = [None] if is_of_one(poses) else [str(name) for name in poses["individual"].values]
    tracks = [None if name is None else sio.Track(name) for name in names]
    arrays = (array.astype(np.float64) for array in arrays_of(poses))
    found = []
    for frame, places, scores in zip(frames.tolist(), *arrays, strict=True):
        instances = [
            sio.PredictedInstance.from_numpy(
                points,
                skeleton=skeleton,
                point_scores=score,
                score=float(np.nanmean(score)) if np.isfinite(score).any() else 0.0,
                track=track,
            )
            for points, score, track in zip(places, scores, tracks, strict=True)
            if np.isfinite(points).any()
        ]
        found.append(sio.LabeledFrame(video=place, frame_idx=frame, instances=instances))
    tracks = [track for track in tracks if track is not None]
    return sio.Labels(found, videos=[place], skeletons=[skeleton], tracks=tracks)


def read_sleap(path):
    """Read the instances of a project file of one video, by track."""
    with reading(path, "a SLEAP file"):
        return _poses_of(load_sleap(path))


def read_sleap_analysis(path):
    """Read an analysis file."""
    with reading(path, "an analysis file of SLEAP"):
        return _poses_of(import_sleap_io().load_analysis_h5(str(path)))


def _poses_of(labels):
    if len(labels.videos) != 1 or len(labels.skeletons) != 1:
        raise ValueError(
            f"it has {len(labels.videos)} videos and {len(labels.skeletons)} skeletons, but poses "
            "are of one each"
        )
    names = list(labels.skeletons[0].node_names)
    tracks = [track.name for track in labels.tracks] or [ONLY_ONE]
    individuals = [ONLY_ONE] if tracks == [_NO_TRACK] else tracks
    found = sorted(labels.labeled_frames, key=lambda labelled: labelled.frame_idx)
    frames = np.array([int(labelled.frame_idx) for labelled in found], dtype=np.int64)
    keypoints = np.full((len(found), len(tracks), len(names), 2), np.nan)
    confidence = np.full((len(found), len(tracks), len(names)), np.nan)
    for row, labelled in enumerate(found):
        # What a person made comes last, and stands.
        for instance in [*labelled.predicted_instances, *labelled.user_instances]:
            track = 0 if not labels.tracks else _track_of(instance, tracks)
            if track is None:
                continue
            if not labels.tracks and len(labelled.instances) > 1:
                raise ValueError(
                    f"frame {labelled.frame_idx} has several instances, and there are no tracks "
                    "that tell which is whose"
                )
            keypoints[row, track] = instance.numpy()
            points = instance.points
            has_scores = "score" in (points.dtype.names or ())
            confidence[row, track] = points["score"] if has_scores else 1.0
    return from_numpy(keypoints, confidence, names=names, individuals=individuals, frames=frames)


def _track_of(instance, tracks):
    return None if instance.track is None else tracks.index(instance.track.name)
