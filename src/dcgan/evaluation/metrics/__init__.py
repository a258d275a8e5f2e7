"""Scores, one file each: pure functions of features float32 or float64 (N, d), or of images uint8 NCHW."""
