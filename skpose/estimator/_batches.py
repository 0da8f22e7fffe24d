"""Images and keypoints in mini-batches, augmented in threads that run ahead of the training."""

import keras
import numpy as np

__all__ = ["PoseBatches"]


class PoseBatches(keras.utils.PyDataset):
    """Mini-batches of images and keypoints.

    What a batch holds is a function of the seed, the epoch and its place in the epoch, so threads
    cannot change it.

    Parameters
    ----------
    images : ImageBatch
        The images, read a mini-batch at a time.
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of `images`; NaN: not labelled.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights.
    batch_size : int
        Samples a batch. The last one of an epoch may be smaller.
    augmenters : sequence of augmenters, default=()
        Applied to each batch in turn.
    swap_index : ndarray of shape (n_keypoints,), default=None
        Left and right partners, for mirror images.
    seed : int, default=None
        Seed of the order and of the augmentation. None: neither shuffled nor augmented.
    first_epoch : int, default=0
        Number of epochs that went before.
    """

    def __init__(
        self,
        images,
        keypoints,
        sample_weight=None,
        *,
        batch_size,
        augmenters=(),
        swap_index=None,
        seed=None,
        first_epoch=0,
    ):
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self.images = images
        self.keypoints = np.asarray(keypoints, dtype=np.float32)
        self.sample_weight = sample_weight
        self.batch_size = batch_size
        self.augmenters = augmenters
        self.swap_index = swap_index
        self.seed = seed
        self.epoch = first_epoch
        self._order = self._shuffle()

    def _shuffle(self):
        n_samples = len(self.keypoints)
        if self.seed is None:
            return np.arange(n_samples)
        return np.random.default_rng([self.seed, self.epoch]).permutation(n_samples)

    def __len__(self):
        return -(-len(self.keypoints) // self.batch_size)

    def __getitem__(self, position):
        # Increasing indices are read faster from a file, and the order in a batch does not matter.
        index = np.sort(self._order[position * self.batch_size :][: self.batch_size])
        images = np.asarray(self.images[index])
        keypoints = self.keypoints[index]
        if self.seed is not None and self.augmenters:
            rng = np.random.default_rng([self.seed, self.epoch, position])
            for augmenter in self.augmenters:
                images, keypoints = augmenter.augment(
                    images, keypoints, random_state=rng, swap_index=self.swap_index
                )
            keypoints = keypoints.astype(np.float32)
        if self.sample_weight is None:
            return images, keypoints
        return images, keypoints, self.sample_weight[index]

    def release(self):
        """Let go of the data: TensorFlow keeps every data set that it has read as long as it runs.

        No batch can be had afterwards.
        """
        self.images = self.keypoints = self.sample_weight = None
        self.augmenters = ()

    def on_epoch_end(self):
        self.epoch += 1
        self._order = self._shuffle()
