"""Studies: many design points, from a file that says what is varied."""

from archsim.study.points import DesignPoint, Space, design_points, space_of
from archsim.study.spec import StudyConfig, load_study_file
from archsim.study.task import Answers, Outcome, Task

__all__ = [
    "Answers", "DesignPoint", "Outcome", "Space", "StudyConfig", "Task", "design_points", "load_study_file", "space_of",
]  # fmt: skip
