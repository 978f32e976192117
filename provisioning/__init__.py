"""The IT desk: identities, enrolment by cable, boot media, labels. Imports `protocol` only.

Still empty: the authority and the enrolment conversation move in here.
"""
