"""Keyed Drifting Policies, from a data set of trajectories to a board that plans in one forward pass."""

__version__ = "0.1.0"
