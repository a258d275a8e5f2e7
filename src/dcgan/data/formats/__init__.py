"""One's own data: a reader for each kind of path, and the folder or zip of images that most people have."""
