"""Behaviour policies -> data sets -> windows."""
