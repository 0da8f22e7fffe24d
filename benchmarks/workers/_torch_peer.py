"""What the workers of the PyTorch packages share: the clock, and the loop that trains."""

import time

from _protocol import seconds, serve
import numpy as np
import torch

STATE = {}


class Peer:
    """A network as its package builds it.

    A subclass gives the attributes `network`, `optimizer` and `batch_size`, and

    - ``predict(images)``: uint8 (n, height, width, 1) to keypoints (n, n_keypoints, 2), by the
      package's own way from pixels to pixels;
    - ``augment(image, keypoints)``: one image and its keypoints, as the package augments them;
    - ``loss(images, keypoints)``: the package's own loss of a batch, with its own targets.
    """

    def step(self, images, keypoints):
        """Train on a batch."""
        self.network.train()
        self.optimizer.zero_grad()
        loss = self.loss(images, keypoints)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def error(self, images, keypoints):
        """Return the mean distance of the keypoints of images, in pixels of these."""
        self.network.eval()
        found = np.concatenate([self.predict(images[i : i + 8]) for i in range(0, len(images), 8)])
        return float(np.nanmean(np.linalg.norm(found - keypoints, axis=-1)))


def make_actions(make_peer):
    """Return actions of a worker whose networks `make_peer(network, data, pretrained)` makes."""

    def setup(data, network, pretrained=False, seed=0):
        """Read the data and build a network."""
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  what the packages' augmentation draws from
        data = dict(np.load(data))
        peer = make_peer(network, data, pretrained)
        STATE.update(data=data, peer=peer)
        n_parameters = sum(p.numel() for p in peer.network.parameters())
        return {
            "parameters": n_parameters,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "batch_size": peer.batch_size,
        }

    def predict(n_images=64, batch_size=64):
        """Return the seconds per image from uint8 images to keypoints."""
        peer, images = STATE["peer"], STATE["data"]["images"]
        images = np.resize(images, (n_images, *images.shape[1:]))
        peer.network.eval()

        def run():
            for start in range(0, n_images, batch_size):
                peer.predict(images[start : start + batch_size])

        return seconds(run) / n_images

    def step(batch_size=16, repeats=3):
        """Return the seconds of a training step, its batch being ready."""
        peer, data = STATE["peer"], STATE["data"]
        images, keypoints = data["images"][:batch_size], data["keypoints"][:batch_size]
        peer.step(images, keypoints)
        return seconds(lambda: peer.step(images, keypoints), repeats) / repeats

    def train(minutes):
        """Train on the split for some time; gives seconds and errors by epoch."""
        peer, data = STATE["peer"], STATE["data"]
        rng = np.random.default_rng(0)
        X, y, test = data["images"], data["keypoints"], data["test"]
        epochs, n_steps, start = [], 0, time.perf_counter()
        while time.perf_counter() - start < 60 * minutes:
            order = rng.permutation(data["train"])
            for first in range(0, len(order), peer.batch_size):
                index = order[first : first + peer.batch_size]
                pairs = [peer.augment(X[i], y[i]) for i in index]
                images, keypoints = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
                peer.step(images, keypoints)
                n_steps += 1
            error = peer.error(X[test], y[test])
            epochs.append((round(time.perf_counter() - start, 1), round(error, 3)))
        return {"epochs": epochs, "n_steps": n_steps}

    actions = (setup, predict, step, train)
    return {action.__name__: action for action in actions}


def run(make_peer):
    """Answer requests until standard input ends."""
    serve(make_actions(make_peer))
