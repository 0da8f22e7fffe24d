"""Writers of files, that others kill, starve of disk or set against each other.

Each writes one version of something after the other; what is found afterwards tells which.
"""

import numpy as np

from skpose import Skeleton
import skpose.baseline
from skpose.datasets import (
    AnnotationEditor,
    append_images,
    fold_annotations,
    read_annotations,
    update_annotations,
    write_annotations,
    write_guesses,
)
from skpose.individuals import make_tracks, read_tracks, write_tracks
from skpose.poses import from_numpy, read_poses, write_poses

N_IMAGES = 5
SKELETON = Skeleton(["a", "b"])


class Writer:
    """Writes version 1, 2, ... of `name` in a folder, where version 0 is."""

    name = "set.h5"

    def __init__(self, folder):
        self.path = folder / self.name
        self.write(0)

    def write(self, version):
        """Write a version; its place, `self.path`, has the one before."""
        raise NotImplementedError

    def version(self):
        """Return the version that is there; fails if that is none."""
        raise NotImplementedError


class Whole(Writer):
    """Sets that are written as a whole."""

    def write(self, version):
        images = np.full((N_IMAGES, 60, 80, 1), version % 256, dtype=np.uint8)
        keypoints = np.full((N_IMAGES, 2, 2), float(version))
        write_annotations(self.path, images, keypoints, skeleton=SKELETON, overwrite=version > 0)

    def version(self):
        data = read_annotations(self.path)
        (version,) = np.unique(data.keypoints)
        assert (np.asarray(data.images) == version % 256).all()
        return int(version)


class Appended(Whole):
    """Sets to which an image is added."""

    def write(self, version):
        if version == 0:
            super().write(0)
        else:
            images = np.full((1, 60, 80, 1), version % 256, dtype=np.uint8)
            append_images(self.path, images, np.full((1, 2, 2), float(version)))

    def version(self):
        data = read_annotations(self.path)
        versions = data.keypoints[N_IMAGES:, 0, 0]
        assert versions.tolist() == list(range(1, len(versions) + 1))
        assert (np.asarray(data.images)[N_IMAGES:, 0, 0, 0] == versions % 256).all()
        return len(versions)


class Updated(Whole):
    """Sets of which one image after the other is labelled."""

    def write(self, version):
        if version == 0:
            super().write(0)
        else:
            keypoints = np.full((1, 2, 2), float(version))
            update_annotations(self.path, [version % N_IMAGES], keypoints)

    def version(self):
        found = read_annotations(self.path).keypoints[:, 0, 0].astype(int)
        version = found.max()
        expected = [max(0, version - (version - image) % N_IMAGES) for image in range(N_IMAGES)]
        assert found.tolist() == expected
        return version


class Folded(Updated):
    """As `Updated`, and each goes into the HDF5 file."""

    def write(self, version):
        super().write(version)
        fold_annotations(self.path)


class Edited(Updated):
    """As `Updated`, a keypoint at a time."""

    def write(self, version):
        if version == 0:
            super().write(0)
            self.editor = AnnotationEditor(self.path)
        else:
            values = "placed", float(version), float(version)
            self.editor.edit([[version % N_IMAGES, k, *values] for k in range(2)])


class Guessed(Whole):
    """Sets that get guesses."""

    def write(self, version):
        if version == 0:
            images = np.zeros((N_IMAGES, 60, 80, 1), dtype=np.uint8)
            write_annotations(self.path, images, skeleton=SKELETON)
        guesses = np.full((N_IMAGES, 2, 2), version + 1.0)  # (0, 0) is none
        write_guesses(self.path, np.arange(N_IMAGES), guesses)

    def version(self):
        data = read_annotations(self.path, labelled="all", frames="all")
        (version,) = np.unique(data.keypoints)
        return int(version) - 1


class Skeletons(Writer):
    """Tables of a skeleton."""

    name = "skeleton.csv"

    def write(self, version):
        names = [f"part {i} of {version}" for i in range(500)]
        Skeleton(names).to_csv(self.path, overwrite=version > 0)

    def version(self):
        skeleton = Skeleton.from_csv(self.path)
        assert len(skeleton) == 500
        (version,) = {int(name.split()[-1]) for name in skeleton.names}
        return version


class Poses(Writer):
    """Poses of a video."""

    name = "poses.csv"

    def write(self, version):
        poses = from_numpy(np.full((300, 2, 2), float(version)), names=["a", "b"])
        write_poses(self.path, poses, overwrite=version > 0)

    def version(self):
        position = read_poses(self.path).position.values
        assert position.shape[0] == 300
        (version,) = np.unique(position)
        return int(version)


class PosesHDF5(Poses):
    """Poses in HDF5."""

    name = "poses.h5"


class PosesNpz(Poses):
    """Poses in npz."""

    name = "poses.npz"


class Tracks(Writer):
    """Tables of tracks."""

    name = "tracks.csv"

    def write(self, version):
        tracks = make_tracks(np.full((300, 2, 2), float(version)))
        write_tracks(self.path, tracks, overwrite=version > 0)

    def version(self):
        tracks = read_tracks(self.path)
        assert len(tracks) == 600
        (version,) = set(tracks["x"])
        return int(version)


class Models(Writer):
    """Model files."""

    name = "model.skpose"

    def write(self, version):
        X, y = np.zeros((2, 8, 8, 1), dtype=np.uint8), np.full((2, 5000, 2), float(version))
        model = skpose.baseline.MeanPoseRegressor().fit(X, y)
        skpose.save(model, self.path, overwrite=version > 0)

    def version(self):
        X = np.zeros((1, 8, 8, 1), dtype=np.uint8)
        (version,) = np.unique(skpose.load(self.path).predict(X))
        return int(version)


WRITERS = [
    Whole,
    Appended,
    Updated,
    Folded,
    Edited,
    Guessed,
    Skeletons,
    Poses,
    PosesHDF5,
    PosesNpz,
    Tracks,
    Models,
]
