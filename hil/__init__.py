"""Hardware in the loop: the same closed loop on every device, every reply predicted by the twin."""
