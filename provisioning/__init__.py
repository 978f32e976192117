"""The IT desk: identities of kiosks and hubs, enrolment by cable, labels.

Imports `protocol` only. `authority` signs, `register` remembers; the commands are in `__main__`.
"""
