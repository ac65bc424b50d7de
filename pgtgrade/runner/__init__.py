"""Runs the cells of a submission and calls its functions: all that enters the student's process of ours.

Nothing in this folder is secret, and nothing of it can be relied on once a cell has run: a cell may change
it. So whatever comes out of the process is data, and is looked at afresh outside.
"""
