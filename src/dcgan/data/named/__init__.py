"""The named sets: what they are, where they come from, how their files are checked and read."""
