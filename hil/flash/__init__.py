"""Writing firmware onto boards: one file a method, every one verifies what it wrote."""
