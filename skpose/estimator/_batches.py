"""Images and keypoints in mini-batches, augmented in threads that run ahead of the training."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from skpose._digests import digest_images

__all__ = ["PoseBatches"]

_N_THREADS = 2
_N_AHEAD = 8  # batches


class PoseBatches(keras.utils.PyDataset):
    """Mini-batches of images and keypoints.

    What a batch holds is a function of the seed, the epoch and its place in the epoch, so threads
    cannot change it. They run on into the next epoch; those of Keras end with each one, which takes
    a tenth of a second, as long as a step.

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
        super().__init__(workers=0)  # of Keras
        self.images = images
        self.keypoints = np.asarray(keypoints, dtype=np.float32)
        self.sample_weight = sample_weight
        self.batch_size = batch_size
        self.augmenters = augmenters
        self.swap_index = swap_index
        self.seed = seed
        self.epoch = first_epoch
        self._digests = np.zeros(len(self.keypoints), dtype=np.uint64)
        self._is_seen = np.zeros(len(self.keypoints), dtype=bool)
        self._threads = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="skpose-batches")
        self._ahead = {}  # futures of batches by their epoch and position

    def __len__(self):
        return -(-len(self.keypoints) // self.batch_size)

    def __getitem__(self, position):
        wanted = [self._place(self.epoch, position + i) for i in range(_N_AHEAD)]
        self._ahead = {
            place: self._ahead.get(place) or self._threads.submit(self._make, *place)
            for place in wanted
        }
        index, digests, batch = self._ahead[wanted[0]].result()
        self._digests[index] = digests
        self._is_seen[index] = True
        return batch

    def _place(self, epoch, position):
        """Return epoch and position in it, where `position` may lie beyond the end of `epoch`."""
        n_epochs, position = divmod(position, len(self))
        return 0 if self.seed is None else epoch + n_epochs, position  # None: all epochs are alike

    def _make(self, epoch, position):
        # Increasing indices are read faster from a file, and the order in a batch does not matter.
        index = np.sort(self._order(epoch)[position * self.batch_size :][: self.batch_size])
        batch = self.images[index].read()
        is_known = self._is_seen[index].all()
        digests = self._digests[index] if is_known else digest_images(batch.source)
        images = np.asarray(batch)
        keypoints = self.keypoints[index]
        if self.seed is not None and self.augmenters:
            rng = np.random.default_rng([self.seed, epoch, position])
            for augmenter in self.augmenters:
                images, keypoints = augmenter.augment(
                    images, keypoints, random_state=rng, swap_index=self.swap_index
                )
            keypoints = keypoints.astype(np.float32)
        weight = () if self.sample_weight is None else (self.sample_weight[index],)
        return index, digests, (images, keypoints, *weight)

    def _order(self, epoch):
        n_samples = len(self.keypoints)
        if self.seed is None:
            return np.arange(n_samples)
        return np.random.default_rng([self.seed, epoch]).permutation(n_samples)

    @property
    def digests(self):
        """ndarray of uint64: of the user's images that have been given out, each once."""
        return np.unique(self._digests[self._is_seen])

    def release(self):
        """Let go of the data: TensorFlow keeps every data set that it has read as long as it runs.

        No batch can be had afterwards.
        """
        self._threads.shutdown(cancel_futures=True)
        self._ahead = {}
        self.images = self.keypoints = self.sample_weight = None
        self.augmenters = ()

    def on_epoch_end(self):
        self.epoch += 1
