"""Video in, poses out: frames as images `X`, and what is done with all frames of a video."""

from skpose.video._draw import draw_video
from skpose.video._frames import VideoFrames
from skpose.video._predict import predict_video, predict_videos
from skpose.video._read_table import read_predictions
from skpose.video._stream import PoseStream

__all__ = [
    "PoseStream",
    "VideoFrames",
    "draw_video",
    "predict_video",
    "predict_videos",
    "read_predictions",
]
