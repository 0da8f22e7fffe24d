"""Several individuals in one image: find them, crop each, and give each its pose."""

from skpose.individuals._crop import crop_individuals
from skpose.individuals._detect import BlobDetector
from skpose.individuals._interpolate import interpolate_tracks
from skpose.individuals._link import link_detections, track_individuals
from skpose.individuals._orientation import resolve_angles
from skpose.individuals._predict_individuals import predict_individuals
from skpose.individuals._sleap import read_sleap
from skpose.individuals._track_files import read_tracks, write_tracks
from skpose.individuals._tracks import make_tracks

__all__ = [
    "BlobDetector",
    "crop_individuals",
    "interpolate_tracks",
    "link_detections",
    "make_tracks",
    "predict_individuals",
    "read_sleap",
    "read_tracks",
    "resolve_angles",
    "track_individuals",
    "write_tracks",
]
