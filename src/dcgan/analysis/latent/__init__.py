"""Latent space: walks through it, arithmetic in it, directions of it, and the way from a picture back to it."""
