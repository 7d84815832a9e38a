"""One file a device; each opens a link and hands back a byte pipe."""
