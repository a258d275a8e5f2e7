"""From a recipe and pictures to a run folder: the engine, the loop, and what it leaves on disk."""
