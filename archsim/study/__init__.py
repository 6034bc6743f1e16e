"""Studies: many design points, from a file that says what is varied."""

from archsim.study.points import DesignPoint, Space, design_points, space_of
from archsim.study.spec import StudyConfig, load_study_file

__all__ = ["DesignPoint", "Space", "StudyConfig", "design_points", "load_study_file", "space_of"]
