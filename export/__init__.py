"""Integer net -> bundle: one file a target, one file a format."""
