"""Behaviour policies -> data sets (Minari format) -> windows."""
