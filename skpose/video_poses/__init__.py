"""Poses of videos: found in files and in streams, and drawn over their frames."""

from skpose.video_poses._draw_video import draw_video
from skpose.video_poses._predict_members import predict_members
from skpose.video_poses._predict_video import check_radius, predict_video, predict_videos
from skpose.video_poses._stream import PoseStream

__all__ = [
    "PoseStream",
    "check_radius",
    "draw_video",
    "predict_members",
    "predict_video",
    "predict_videos",
]
