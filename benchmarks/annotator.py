r"""What the model in the loop spares a person who labels, counted with a simulated one.

    SKPOSE_DATA=... python benchmarks/annotator.py
    SKPOSE_DATA=... python benchmarks/annotator.py openfield --run "20 order 3"

The annotator talks to the server as the page does. It labels a batch of frames from nothing, lets a
model be trained for some minutes, and goes on with the guesses: what lies further than 5 px from
the truth is dragged there, the rest of a frame is accepted with one key, and after each batch it is
trained again. An action is a click, a drag or a key; from nothing, each bodypart takes one, and so
does going to the next frame. ``choice`` says which frames come next: those that follow in the set,
or those that the model is least sure of. ``error_px`` is how far the labels that result are from
the truth, in the mean; those that were placed by hand are exact. Waiting is the time from the press
of "Train" until the last guess is there. Needs a quiet machine; what is in
``results/annotator.json`` is not repeated. ``--draw`` draws that.
"""

import argparse
import os
from pathlib import Path
import tempfile
import time
from urllib.parse import urlsplit

from _figures import draw_annotator
from _rows import merge_rows, read_rows
import httpx
import numpy as np

from skpose.annotate import LabelServer
from skpose.datasets import make_poses, read_annotations, read_deeplabcut, write_annotations
from skpose.metrics import keypoint_errors

FAR = 5.0  # px
# How many frames at a time, which, and how many minutes a training takes.
RUNS = ("20 doubt 1", "20 doubt 3", "20 order 3", "40 doubt 3", "10 doubt 1")


def project(name, n_frames=None):
    data = read_deeplabcut(
        Path(os.environ["SKPOSE_DATA"], name), n_channels=1, image_size="largest"
    )
    rows = np.random.default_rng(0).permutation(len(data.images))[:n_frames]
    return np.asarray(data.images[rows]), data.keypoints[rows], data.skeleton


def synthetic():
    poses = make_poses(
        2000, image_size=(240, 320), camera="fixed", random_state=0, return_bunch=True
    )
    rows = np.random.default_rng(0).permutation(2000)[:100]
    return poses.images[rows], poses.keypoints[rows], poses.skeleton


SETS = {
    "openfield": lambda: project("openfield", 100),
    "reaching": lambda: project("reaching"),
    "synthetic": synthetic,
}


class Annotator:
    """Labels a set by its server, and knows the truth.

    Parameters
    ----------
    client : httpx.Client
        Of the server.
    truth : ndarray of shape (n_images, n_keypoints, 2)
        (x, y) in pixels; NaN: not to be seen.
    minutes : float
        How long a training takes.
    """

    def __init__(self, client, truth, minutes):
        self.client, self.truth, self.minutes = client, truth, minutes
        self.n_actions, self.n_trainings, self.waiting = 0, 0, 0.0

    def label(self, frame):
        """Label a frame, and count what it takes."""
        known = self.client.get(f"/api/frames/{frame}").json()
        edits, n_placed = [], 0
        for k, (now, true) in enumerate(zip(known["keypoints"], self.truth[frame], strict=True)):
            is_guess = now[0] == "guess"
            if np.isnan(true).any():
                edits.append([frame, k, "absent"])
                n_placed += 1
            elif is_guess and np.hypot(*(np.array(now[1:3]) - true)) <= FAR:
                edits.append([frame, k, "placed", *now[1:3]])
            else:
                edits.append([frame, k, "placed", *true.tolist()])
                n_placed += 1
        self.n_actions += n_placed + 1  # the key goes on to the next frame, accepting or not
        edit = {"key": str(frame), "user": "", "base": known["version"], "set": edits}
        self.client.post("/api/edits", json={"client": "annotator", "edits": [edit]})

    def train(self):
        """Let the model be trained and guess; wait for that."""
        start = time.perf_counter()
        self.client.post("/api/job", json={"train": self.minutes}).raise_for_status()
        with self.client.stream("GET", "/api/events", timeout=600) as stream:
            for line in stream.iter_lines():
                if '"state":"failed"' in line:
                    raise RuntimeError(line)
                if '"state":"done"' in line:
                    break
        self.waiting += time.perf_counter() - start
        self.n_trainings += 1

    def choose(self, left, n_frames, choice):
        """Return which frames come next."""
        if choice == "doubt":
            sure = self.client.get("/api/frames").json()["sure"]
            left = sorted(left, key=lambda frame: (sure[frame], frame))
        return left[:n_frames]


def run(name, batch, choice, minutes):
    """Label a set whole, and describe what it took."""
    images, truth, skeleton = SETS[name]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "set.h5")
        write_annotations(path, images, skeleton=skeleton)
        with LabelServer(path, port=0) as server:
            address = "{0.scheme}://{0.netloc}".format(urlsplit(server.url))
            with httpx.Client(base_url=address, follow_redirects=True, timeout=60) as client:
                client.get(server.url)
                annotator = Annotator(client, truth, minutes)
                left = list(range(len(images)))
                while left:
                    for frame in annotator.choose(left, batch, choice):
                        annotator.label(frame)
                        left.remove(frame)
                    if left:
                        annotator.train()
        labels = read_annotations(path, frames="all").keypoints
    from_nothing = truth.shape[0] * (truth.shape[1] + 1)
    return {
        "actions": annotator.n_actions,
        "from_nothing": from_nothing,
        "share": round(annotator.n_actions / from_nothing, 3),
        "trainings": annotator.n_trainings,
        "waiting_s": round(annotator.waiting),
        "error_px": round(float(np.nanmean(keypoint_errors(truth, labels))), 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(SETS), help=f"of {', '.join(SETS)}")
    parser.add_argument("--run", nargs="*", choices=RUNS, default=RUNS)
    parser.add_argument("--draw", action="store_true", help="draw what has been measured")
    arguments = parser.parse_args()
    if arguments.draw:
        draw_annotator({name: read_rows("annotator", name) for name in SETS})
        return
    for kind in arguments.run:
        batch, choice, minutes = kind.split()
        for name in arguments.sets:
            row = f"batches of {batch}, {choice}, {minutes} min"
            if row not in read_rows("annotator", name):
                figures = run(name, int(batch), choice, float(minutes))
                merge_rows("annotator", name, {row: figures})


if __name__ == "__main__":
    main()
