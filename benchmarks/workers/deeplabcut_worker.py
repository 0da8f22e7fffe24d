"""DeepLabCut 3's side of compare_peers.py; runs in DeepLabCut's environment.

Networks, targets, losses, optimizers, augmentation and the way from maps to keypoints are what
DeepLabCut's own configuration files say. Its crops of 448 x 448, to which it would fill up smaller
images, are left out in its favour, and images are turned by any angle. rtmpose_s, which expects
256 x 256 pixels, sees the whole image fitted into that.
"""

from _torch_peer import Peer, run
import cv2
from deeplabcut.pose_estimation_pytorch.config.enums import NetType
from deeplabcut.pose_estimation_pytorch.config.make_pose_config import build_pose_config_defaults
from deeplabcut.pose_estimation_pytorch.config.metadata import PoseMetadata
from deeplabcut.pose_estimation_pytorch.data.transforms import build_transforms
from deeplabcut.pose_estimation_pytorch.models.model import PoseModel
from deeplabcut.pose_estimation_pytorch.task import Task
import numpy as np
import torch

_SIMCC_SIDE = 256
_VISIBLE = 2.0


class DeepLabCutPeer(Peer):
    """A network of DeepLabCut, trained as its runner does by default."""

    def __init__(self, network, data, pretrained):
        names = [str(i) for i in range(data["keypoints"].shape[1])]
        config = build_pose_config_defaults(
            NetType(network), PoseMetadata(bodyparts=names), task=Task.BOTTOM_UP, multi_animal=False
        )
        self.network = PoseModel.build(config["model"], pretrained_backbone=pretrained)
        settings = config["runner"]["optimizer"]
        settings = {name: float(value) for name, value in settings["params"].items()}
        self.optimizer = torch.optim.AdamW(self.network.parameters(), **settings)
        # Of 110 frames, rtmpose's batches of 32 would make only 4 steps an epoch.
        self.batch_size = min(16, config["train_settings"]["batch_size"])
        augmentation = dict(config["data"]["train"])
        augmentation.pop("crop_sampling", None)
        augmentation["affine"] = {**augmentation["affine"], "rotation": 180}
        augmentation["normalize_images"] = False
        self.transform = build_transforms(augmentation)
        self.side = _SIMCC_SIDE if network.startswith("rtmpose") else None

    def prepare(self, images):
        """Return the normalised tensor of grey uint8 images, and the scale of its pixels."""
        scale = 1.0
        if self.side is not None:
            scale = self.side / max(images.shape[1:3])
            height, width = (round(side * scale) for side in images.shape[1:3])
            fitted = np.zeros((len(images), self.side, self.side, 1), np.uint8)
            for i, image in enumerate(images):
                resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
                fitted[i, :height, :width, 0] = resized
            images = fitted
        tensor = torch.from_numpy(images).permute(0, 3, 1, 2).expand(-1, 3, -1, -1).float()
        return (tensor - self.mean) / self.std, scale

    # ImageNet's, of three channels
    mean = 255 * torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = 255 * torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)

    def predict(self, images):
        with torch.inference_mode():
            tensor, scale = self.prepare(images)
            poses = self.network.get_predictions(self.network(tensor))["bodypart"]["poses"]
        poses = poses[:, 0, :, :2].numpy()
        return (poses + 0.5) / scale - 0.5 if scale != 1.0 else poses

    def augment(self, image, keypoints):
        result = self.transform(
            image=np.repeat(image, 3, axis=-1),
            keypoints=keypoints,
            class_labels=np.arange(len(keypoints)),
            bboxes=[],
            bbox_labels=[],
        )
        return result["image"][..., :1], np.asarray(result["keypoints"], np.float32)

    def loss(self, images, keypoints):
        tensor, scale = self.prepare(images)
        keypoints = (keypoints + 0.5) * scale - 0.5
        visible = np.where(np.isnan(keypoints[..., :1]), 0, _VISIBLE)
        labels = np.concatenate([np.nan_to_num(keypoints), visible], axis=-1)[:, None]
        outputs = self.network(tensor)
        labels = {"keypoints": torch.from_numpy(labels.astype(np.float32))}
        targets = self.network.get_target(outputs, labels)
        return self.network.get_loss(outputs, targets)["total_loss"]


def make_peer(network, data, pretrained):
    """Build a network, with ImageNet's weights if they are asked for and can be had."""
    return DeepLabCutPeer(network, data, pretrained)


if __name__ == "__main__":
    run(make_peer)
