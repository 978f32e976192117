"""Enrolment by cable (入网): frames, a connection, messages, and both halves as tables.

Pure: no port, no clock, no file. `conversation` is what a runner drives; see its docstring.
"""
