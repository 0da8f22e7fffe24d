"""sleap-nn's side of compare_peers.py; runs in sleap-nn's environment.

The networks are those of SLEAP's baseline profiles for a single animal; the targets, the loss, the
optimizer, the batch size and the way from maps to keypoints are sleap-nn's own. Images are turned
by any angle, as SLEAP recommends for animals that are seen from above.
"""

from _torch_peer import Peer, run
import numpy as np
from omegaconf import OmegaConf
from sleap_nn.architectures.model import Model
from sleap_nn.data.confidence_maps import generate_confmaps
from sleap_nn.data.normalization import normalize_on_gpu
from sleap_nn.data.skia_augmentation import apply_geometric_augmentation_skia
from sleap_nn.inference.layers.backends.torch_backend import TorchBackend
from sleap_nn.inference.layers.configs import PostprocessConfig
from sleap_nn.inference.layers.single_instance import SingleInstanceLayer
import torch
from torch import nn

_COMMON = {
    "in_channels": 1,
    "kernel_size": 3,
    "filters": 16,
    "stem_stride": None,
    "middle_block": True,
    "up_interpolate": True,
    "stacks": 1,
    "convs_per_block": 2,
}
NETWORKS = {
    "unet_medium_rf": {**_COMMON, "filters_rate": 2.0, "max_stride": 16, "output_stride": 4},
    "unet_large_rf": {**_COMMON, "filters": 24, "filters_rate": 1.5, "max_stride": 32}
    | {"output_stride": 4},
}
SIGMA = 2.5


class Maps(nn.Module):
    """Images to confidence maps, as sleap-nn's own Lightning module."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        images = images.squeeze(1) if images.ndim == 5 else images
        return self.model(normalize_on_gpu(images))["SingleInstanceConfmapsHead"]


class SleapPeer(Peer):
    """A UNet of sleap-nn, trained as its trainer does by default."""

    batch_size = 4

    def __init__(self, network, data):
        config = NETWORKS[network]
        self.stride = config["output_stride"]
        names = [str(i) for i in range(data["keypoints"].shape[1])]
        head = {"part_names": names, "sigma": SIGMA, "output_stride": self.stride}
        model = Model.from_config(
            backbone_type="unet",
            backbone_config=OmegaConf.create(config),
            head_configs=OmegaConf.create({"confmaps": head}),
            model_type="single_instance",
        )
        self.network = Maps(model)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)
        self.layer = SingleInstanceLayer(
            TorchBackend(model=self.network),
            output_stride=self.stride,
            max_stride=config["max_stride"],
            postprocess_config=PostprocessConfig(peak_threshold=-np.inf),
        )

    def predict(self, images):
        return self.layer.predict(images).pred_keypoints[:, 0].numpy()

    def augment(self, image, keypoints):
        image, keypoints = apply_geometric_augmentation_skia(
            torch.from_numpy(image).permute(2, 0, 1)[None],
            torch.from_numpy(keypoints.astype(np.float32))[None],
            rotation_min=-180,
            rotation_max=180,
            rotation_p=1.0,
            scale_min=0.9,
            scale_max=1.1,
            scale_p=1.0,
        )
        return image[0].permute(1, 2, 0).numpy(), keypoints[0].numpy()

    def loss(self, images, keypoints):
        images = torch.from_numpy(images).permute(0, 3, 1, 2)
        keypoints = torch.from_numpy(keypoints.astype(np.float32))
        size = tuple(images.shape[2:])
        maps = generate_confmaps(keypoints, size, sigma=SIGMA, output_stride=self.stride)
        return nn.functional.mse_loss(self.network(images), maps)


def make_peer(network, data, pretrained):
    """Build a network; sleap-nn's UNets have no pretrained weights."""
    return SleapPeer(network, data)


if __name__ == "__main__":
    run(make_peer)
