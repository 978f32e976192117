"""The pages of the people of the hall: plain HTML, made here, with one stylesheet of our own.

Every page but the sign-in wants a session, every change a form of that session. No script.
"""
