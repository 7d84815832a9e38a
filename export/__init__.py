"""Integer net -> bundle: one file per target, one per format."""
