"""The C sources of the firmware, carried by the wheel."""
