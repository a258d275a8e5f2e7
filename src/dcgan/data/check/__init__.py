"""Is it good to train on: copies, gaps and oddities of a set, and a verdict."""
