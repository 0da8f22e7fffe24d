"""Damages the files that readers read, and tells what the readers make of it.

Run as a program, ``python mutations.py READER N_MUTATIONS SEED``, it prints one JSON object; in a
process of its own, since what is looked for are crashes, hangs and memory without end.
"""

from collections import Counter
import json
from pathlib import Path
import random
import resource
import signal
import struct
import sys
from tempfile import TemporaryDirectory
import warnings

import numpy as np

SECONDS = 20  # that one reading may take
MEGABYTES = 1024  # that one reading may add to what the process has ever used

TOKENS = [
    b"nan",
    b"-inf",
    b"1e999",
    b"-1",
    b'"',
    b",",
    b";",
    b"\n",
    b"\x00",
    b"\xff\xfe",
    b"{",
    b"9" * 30,
]
SIZES = [0, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1]


def mutate(content, generator):
    """Return a damaged copy of some bytes, and what was done to it."""
    content = bytearray(content)
    at = generator.randrange(len(content))
    end = min(len(content), at + generator.choice([1, 4, 64, 1024]))
    kind = generator.choice(["flip", "flips", "cut", "zeros", "twice", "gone", "token", "size"])
    if kind == "flip":
        content[at] ^= 1 << generator.randrange(8)
    elif kind == "flips":
        for _ in range(20):
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    elif kind == "cut":
        del content[at:]
    elif kind == "zeros":
        content[at:end] = bytes(end - at)
    elif kind == "twice":
        content[at:at] = content[at:end]
    elif kind == "gone":
        del content[at:end]
    elif kind == "token":
        content[at:at] = generator.choice(TOKENS)
    else:
        at -= at % 4
        packed = struct.pack(generator.choice("<>") + "Q", generator.choice(SIZES))
        content[at : at + 8] = packed[: generator.choice([4, 8])]
    return bytes(content), kind


# Each kind of file: a function that makes a good one in a folder, and returns the file to damage
# and a function that reads it.


def _set_of_labels(folder, *, journal=False):
    from skpose import Skeleton
    from skpose.datasets import read_annotations, update_annotations, write_annotations

    path, generator = folder / "set.h5", np.random.default_rng(0)
    images = generator.integers(0, 256, (6, 12, 12, 1), dtype=np.uint8)
    skeleton = Skeleton(["head", "left", "right"], ["", "head", "head"], ["", "right", "left"])
    keypoints = generator.uniform(0, 12, (6, 3, 2))
    write_annotations(
        path,
        images,
        keypoints,
        skeleton=skeleton,
        videos=["fly.mp4, 7 bytes"] * 6,
        frame_numbers=np.arange(6),
    )
    for i in range(6 * journal):
        update_annotations(path, [i], keypoints[[i]] + 1)

    def read():
        data = read_annotations(path, labelled="all", frames="all")
        arrays = [data.keypoints, data.annotated, data.occluded, data.frame_numbers]
        return [np.asarray(data.images), *arrays, data.videos, data.skeleton.to_dict()]

    return folder / "set.h5.journal" if journal else path, read


def _journal(folder):
    return _set_of_labels(folder, journal=True)


def _deeplabcut(folder, ending):
    import cv2
    import pandas as pd

    from skpose.datasets import read_deeplabcut

    columns = pd.MultiIndex.from_product(
        [["Ann"], ["snout", "tail"], ["x", "y"]], names=["scorer", "bodyparts", "coords"]
    )
    images = folder / "labeled-data" / "day1"
    images.mkdir(parents=True)
    rows = [f"labeled-data/day1/img{i}.png" for i in range(4)]
    for row in rows:
        cv2.imwrite(str(folder / row), np.full((6, 8), 7, np.uint8))
    values = np.random.default_rng(0).uniform(0, 6, (4, 4)).round(3)
    frame = pd.DataFrame(values, rows, columns)
    path = images / f"CollectedData_Ann{ending}"
    if ending == ".csv":
        frame.to_csv(path)
    else:
        frame.to_hdf(path, key="df_with_missing")

    def read():
        data = read_deeplabcut(path)
        return [np.asarray(data.images), data.keypoints, data.filenames, data.skeleton.to_dict()]

    return path, read


def _deeplabcut_csv(folder):
    return _deeplabcut(folder, ".csv")


def _deeplabcut_hdf5(folder):
    return _deeplabcut(folder, ".h5")


def _coco(folder):
    import cv2

    from skpose.datasets import read_coco

    cv2.imwrite(str(folder / "a.png"), np.full((6, 8), 7, np.uint8))
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 6, "width": 8}],
        "categories": [{"id": 1, "name": "fly", "keypoints": ["a", "b"], "skeleton": [[1, 2]]}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 1]},
        ],
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(content))

    def read():
        data = read_coco(path)
        return [np.asarray(data.images), data.keypoints, data.skeleton.to_dict()]

    return path, read


def _yolo(folder, *, description=False):
    from skpose.datasets import make_poses, read_yolo, write_labels

    labels = make_poses(2, image_size=32, random_state=0, return_bunch=True)
    dataset = write_labels(folder / "yolo", labels, format="yolo")

    def read():
        data = read_yolo(dataset)
        return [np.asarray(data.images), data.keypoints, data.skeleton.to_dict()]

    if description:
        return dataset / "data.yaml", read
    return next((dataset / "train" / "labels").iterdir()), read


def _yolo_description(folder):
    return _yolo(folder, description=True)


def _label_studio(folder):
    import cv2

    from skpose.datasets import read_label_studio

    cv2.imwrite(str(folder / "a.png"), np.full((6, 8), 7, np.uint8))
    regions = [
        {
            "id": name,
            "type": "keypointlabels",
            "original_width": 8,
            "original_height": 6,
            "image_rotation": 0,
            "value": {"x": 12.5, "y": 50.0, "keypointlabels": [name]},
        }
        for name in ("nose", "tail")
    ]
    task = {"id": 7, "data": {"image": "a.png"}, "annotations": [{"result": regions}]}
    path = folder / "export.json"
    path.write_text(json.dumps([task]))

    def read():
        data = read_label_studio(path)
        return [np.asarray(data.images), data.keypoints, data.skeleton.to_dict()]

    return path, read


def _nwb_labels(folder):
    from helpers import write_video
    import sleap_io

    from skpose.datasets import read_nwb_labels

    video = write_video(folder / "fly.mp4", np.zeros((4, 16, 16, 3), np.uint8))
    opened = sleap_io.Video.from_filename(str(video))
    skeleton = sleap_io.Skeleton(["nose", "tail"])
    instance = sleap_io.Instance.from_numpy(np.array([[1.0, 2.0], [3.0, 4.0]]), skeleton=skeleton)
    frame = sleap_io.LabeledFrame(video=opened, frame_idx=1, instances=[instance])
    path = folder / "labels.nwb"
    sleap_io.save_nwb(sleap_io.Labels([frame], videos=[opened], skeletons=[skeleton]), path)

    def read():
        data = read_nwb_labels(path)
        return [np.asarray(data.images), data.keypoints, data.skeleton.to_dict()]

    return path, read


def _skeleton(folder):
    from skpose import Skeleton

    names = ["head", "thorax", "wingL", "wingR"]
    path = folder / "skeleton.csv"
    Skeleton(names, ["", 0, 1, 1], ["", "", 3, 2]).to_csv(path)
    return path, lambda: Skeleton.from_csv(path).to_dict()


def _poses(folder, ending):
    from skpose.poses import from_numpy, read_poses, write_poses

    keypoints = np.random.default_rng(0).uniform(0, 90, (12, 3, 2))
    poses = from_numpy(keypoints, np.full((12, 3), 0.5), names=["a", "b", "c"], frame_rate=25)
    path = write_poses(folder / f"poses{ending}", poses)

    def read():
        poses = read_poses(path)
        return [poses.position.values, poses.confidence.values, poses.keypoint.values]

    return path, read


def _poses_csv(folder):
    return _poses(folder, ".csv")


def _poses_hdf5(folder):
    return _poses(folder, ".h5")


def _poses_npz(folder):
    return _poses(folder, ".npz")


def _poses_netcdf(folder):
    return _poses(folder, ".nc")


def _poses_nwb(folder):
    return _poses(folder, ".nwb")


def _poses_sleap(folder):
    return _poses(folder, ".slp")


def _poses_analysis(folder):
    return _poses(folder, ".analysis.h5")


def _poses_coco(folder):
    return _poses(folder, ".json")


def _tracks(folder):
    from skpose.individuals import make_tracks, read_tracks, write_tracks

    path = folder / "tracks.csv"
    write_tracks(path, make_tracks(np.random.default_rng(0).uniform(0, 90, (8, 2, 2))))
    return path, lambda: read_tracks(path).to_dict("list")


def _sleap(folder):
    import sleap_io as sio

    from skpose.individuals import read_sleap

    skeleton = sio.Skeleton(["head", "tail"], edges=[("head", "tail")])
    video, track = sio.Video("nowhere.mp4", open_backend=False), sio.Track("a")
    frames = [
        sio.LabeledFrame(
            video=video,
            frame_idx=i,
            instances=[
                sio.PredictedInstance.from_numpy(
                    np.array([[i, 2.0], [3.0, 4.0]]),
                    skeleton=skeleton,
                    point_scores=np.full(2, 0.5),
                    score=0.5,
                    track=track,
                )
            ],
        )
        for i in range(4)
    ]
    path = folder / "poses.slp"
    labels = sio.Labels(frames, videos=[video], skeletons=[skeleton], tracks=[track])
    labels.save(str(path), embed=False)

    def read():
        poses = read_sleap(path)
        return [poses.keypoints, poses.tracks.to_dict("list"), poses.skeleton.to_dict()]

    return path, read


def _sleap_package(folder):
    from skpose.datasets import make_poses, read_labels, write_labels

    path = folder / "labels.pkg.slp"
    write_labels(path, make_poses(4, image_size=32, random_state=0, return_bunch=True))

    def read():
        labels = read_labels(path)
        return [labels.keypoints, labels.skeleton.to_dict(), np.asarray(labels.images)]

    return path, read


def _model(folder):
    import skpose

    estimator, X = _small_model()
    path = folder / "model.skpose"
    estimator.save(path)
    return path, lambda: skpose.load(path).predict(X)


def _exported(folder):
    import skpose

    estimator, X = _small_model()
    path = folder / "model.onnx"
    estimator.export(path)
    return path, lambda: skpose.load(path).predict(X)


def _small_model():
    from helpers import tiny_estimator

    from skpose.datasets import make_poses
    from skpose.models import LEAP
    from skpose.targets import ConfidenceMaps

    X, y = make_poses(8, image_size=32, random_state=0)
    targets = ConfidenceMaps(sigma=3.0, downsample_factor=0)
    return tiny_estimator(model=LEAP(filters=4), targets=targets).fit(X, y), X


def _image(folder, ending):
    import cv2

    from skpose.datasets import ImageFiles

    path = folder / f"image{ending}"
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)
    return path, lambda: [ImageFiles([path])[0]]


def _png(folder):
    return _image(folder, ".png")


def _jpeg(folder):
    return _image(folder, ".jpg")


def _tiff(folder):
    return _image(folder, ".tif")


def _video(folder, name):
    from helpers import NumberedVideo

    from skpose.video import VideoFrames

    path = NumberedVideo().write(folder / name, 24)

    def read():
        frames = VideoFrames(path)
        return [frames[:6], frames[[len(frames) - 1, 0]], frames.times]

    return path, read


def _mp4(folder):
    return _video(folder, "video.mp4")


def _mkv(folder):
    return _video(folder, "video.mkv")


READERS = {
    "annotation set": _set_of_labels,
    "journal": _journal,
    "DeepLabCut csv": _deeplabcut_csv,
    "DeepLabCut hdf5": _deeplabcut_hdf5,
    "COCO": _coco,
    "YOLO": _yolo,
    "YOLO description": _yolo_description,
    "Label Studio": _label_studio,
    "NWB labels": _nwb_labels,
    "skeleton": _skeleton,
    "poses csv": _poses_csv,
    "poses hdf5": _poses_hdf5,
    "poses npz": _poses_npz,
    "poses netCDF": _poses_netcdf,
    "poses NWB": _poses_nwb,
    "poses SLEAP": _poses_sleap,
    "poses analysis": _poses_analysis,
    "poses COCO": _poses_coco,
    "tracks": _tracks,
    "SLEAP": _sleap,
    "SLEAP package": _sleap_package,
    "model": _model,
    "exported model": _exported,
    "png": _png,
    "jpeg": _jpeg,
    "tiff": _tiff,
    "mp4": _mp4,
    "mkv": _mkv,
}
CHECKED = ("model", "exported model", "png")  # have checksums: nothing of them changes in silence


def attack(reader, n_mutations, seed):
    """Read damaged files; return how often it went how, and what should not have happened."""
    generator, counts, faults = random.Random(f"{reader} {seed}"), Counter(), []
    with TemporaryDirectory() as folder:
        path, read = READERS[reader](Path(folder))
        good, content = _digest(read()), path.read_bytes()
        _forbid_code()
        for number in range(n_mutations):
            damaged, kind = mutate(content, generator)
            path.write_bytes(damaged)
            print(number, kind, file=sys.stderr, flush=True)  # is the last line if it crashes
            outcome, said = _read(read, path, good)
            counts[outcome] += 1
            if outcome == "fault":
                faults.append(f"{number} ({kind}): {said}")
    return {"counts": counts, "faults": faults}


def _read(read, path, good):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, _time_out)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            result = _digest(read())
        changed = (
            "told" if any(path.name in str(warning.message) for warning in told) else "changed"
        )
        outcome, said = "right" if result == good else changed, ""
    except (ValueError, OSError) as error:
        said = f"{type(error).__name__}: {error}"
        outcome = "refused" if path.name in said or path.stem in said else "fault"
    except BaseException as error:
        outcome, said = "fault", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if grown > MEGABYTES:
        outcome, said = "fault", f"took {grown:.0f} MB. {said}"
    return outcome, said[:300]


class _Hang(BaseException):
    pass


def _time_out(signal_number, frame):
    raise _Hang(f"took longer than {SECONDS} s")


class _CodeRan(BaseException):
    pass


def _forbid_code():
    """Let nothing that a file says be run: pickles, commands, other programs."""
    forbidden = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen")

    def check(event, arguments):
        if event == "subprocess.Popen" and arguments[0] == sys.executable:
            return  # one of ours, which looks whether HDF5 survives the file
        if event in forbidden or event.startswith("socket.connect"):
            raise _CodeRan(f"{event} {arguments!r:.200}")

    sys.addaudithook(check)


def _digest(result):
    """Return something that can be compared, of arrays, lists and texts."""
    if isinstance(result, dict):
        return [(key, _digest(value)) for key, value in result.items()]
    if isinstance(result, list | tuple):
        return [_digest(value) for value in result]
    array = np.asarray(result)
    return array.shape, str(array.dtype), array.tobytes() if array.dtype != object else str(array)


if __name__ == "__main__":
    name, n, number = sys.argv[1:]
    print(json.dumps(attack(name, int(n), int(number))))
