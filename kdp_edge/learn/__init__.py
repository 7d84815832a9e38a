"""Learning: from a data set to a run folder. The only room, with `play` and `bench`, that imports torch."""
