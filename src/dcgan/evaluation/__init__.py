"""Judged: how good, how varied and how true the pictures of a model are."""
