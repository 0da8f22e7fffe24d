"""The formats of labels: what they are called, and what is made in them."""

__all__ = ["FOLDER", "READ", "WRITTEN"]

FOLDER = ""  # in place of an ending

# By the words for `format`, what a message says of those that are read.
READ = {
    "deepposekit": "DeepPoseKit's annotation sets (HDF5)",
    "deeplabcut": "DeepLabCut projects (the folder, config.yaml or CollectedData_*.csv)",
    "lightning_pose": "Lightning Pose projects (the folder or CollectedData.csv)",
    "coco": "COCO files (JSON)",
    "sleap": "SLEAP files (.slp)",
    "yolo": "YOLO datasets (the folder or data.yaml)",
    "labelstudio": "exports of Label Studio (JSON)",
    "nwb": "NWB files with PoseTraining",
    "netcdf": "poses in netCDF, with the video they are of",
}
# What those end in that are written.
WRITTEN = {
    "deepposekit": ".h5",
    "deeplabcut": FOLDER,
    "lightning_pose": FOLDER,
    "coco": ".json",
    "sleap": ".pkg.slp",
    "yolo": FOLDER,
}
