"""Looked into: does a model copy what it learned from, does it repeat itself, does the data?"""
