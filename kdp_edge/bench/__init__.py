"""What is measured and recorded. Nothing of the product imports this room; only `cli/bench*` does."""
