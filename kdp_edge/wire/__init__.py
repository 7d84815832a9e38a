"""The link protocol, both sides: frames, messages, the twin and a server around it."""
