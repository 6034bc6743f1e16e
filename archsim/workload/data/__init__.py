"""Data sets as NumPy arrays: images, signals or features, scaled to a known range, and labels. No downloads."""

from archsim.workload.data.files import ENVIRONMENT_VARIABLE, data_folder
from archsim.workload.data.images import DIGITS_TRAIN
from archsim.workload.data.loading import DATASETS, SPLITS, load_dataset
from archsim.workload.data.sets import ImageSet, InputStatistics, Source, TargetScale, Task

__all__ = [
    "DATASETS",
    "DIGITS_TRAIN",
    "ENVIRONMENT_VARIABLE",
    "SPLITS",
    "ImageSet",
    "InputStatistics",
    "Source",
    "TargetScale",
    "Task",
    "data_folder",
    "load_dataset",
]
