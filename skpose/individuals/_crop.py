"""Crops of individuals: each seen alone, in pixels that find their way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skpose._types import Border, Images, ImageSize
from skpose.base import check_images
from skpose.individuals._tracks import check_tracks
from skpose.preprocessing import EgocentricAligner, ImageBatch, ImageCropper

if TYPE_CHECKING:
    import pandas as pd


def crop_individuals(
    X: Images,
    tracks: pd.DataFrame,
    box_size: ImageSize,
    *,
    align: bool = False,
    border: Border = "constant",
    border_value: int = 0,
) -> ImageBatch:
    """Crop each individual from the frames of a video.

    No pixel is read yet: frames are read when the crops are, from videos too.

    Parameters
    ----------
    X : array-like of shape (n_frames, height, width, n_channels)
        The video, such as `skpose.video.VideoFrames`, or an `ImageBatch`.
    tracks : pandas.DataFrame
        Which individuals to crop: a row for each crop, with the columns frame (position in X), id,
        x, y (pixels of X) and, to `align`, angle (radians).
    box_size : int or tuple of int
        (height, width) of the crops in pixels, or their side; `skpose.preprocessing.crop_size`
        tells one from keypoints.
    align : bool, default=False
        Turn each individual so that it faces to the right.
    border : {"constant", "reflect", "replicate"}, default="constant"
        What is seen where a crop reaches over the edges of its frame.
    border_value : int, default=0
        The value seen there with "constant", 0 to 255.

    Returns
    -------
    ImageBatch of shape (n_rows, height, width, n_channels)
        The crops, in the order of the rows.

    Raises
    ------
    ValueError
        If rows have no position or no angle where one is needed, or frames that X does not have.

    See Also
    --------
    predict_individuals : Give the poses of all individuals of a video.
    read_sleap : Give tracks with keypoints to learn from.

    Notes
    -----
    The crops carry the frame that they are seen in. So an estimator learns them from keypoints in
    pixels of the *video*, ``estimator.fit(crops, keypoints)`` with a row of `keypoints` for each
    row of `tracks`, and what it predicts is in pixels of the video again. ``crops.to_batch`` and
    ``crops.to_user`` move keypoints into the crops and back.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skpose.individuals import crop_individuals
    >>> X = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    >>> X[1, 5, 6] = 255
    >>> tracks = pd.DataFrame({"frame": [1], "id": [0], "x": [5.0], "y": [5.0]})
    >>> crops = crop_individuals(X, tracks, 3)
    >>> np.asarray(crops)[0, :, :, 0].tolist()
    [[0, 0, 0], [0, 0, 255], [0, 0, 0]]
    >>> crops.to_user([[[2.0, 1.0]]]).tolist()
    [[[6.0, 5.0]]]
    """
    X = check_images(X)
    tracks = check_tracks(tracks, n_frames=len(X))
    options: dict[str, Any] = {
        "box_size": box_size,
        "border": border,
        "border_value": border_value,
        "outside": "pad",
    }
    frames = ImageBatch.wrap(X)[tracks["frame"].to_numpy()]
    where = {"centers": tracks[["x", "y"]].to_numpy(dtype=np.float64)}
    if not align:
        return ImageCropper(**options).fit(frames).transform(frames, **where)
    if "angle" not in tracks:
        raise ValueError(
            "align=True needs the column angle in tracks. Read it from a SLEAP file with front and "
            "back, find it with track_individuals, or give align=False."
        )
    where["angles"] = tracks["angle"].to_numpy(dtype=np.float64)
    return EgocentricAligner(front=0, back=1, **options).fit(frames).transform(frames, **where)
