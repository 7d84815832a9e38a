"""The integer net: what every exporter, the firmware and the twin agree on."""
