"""What the kiosk says aloud: at an invitation, and at thanks, the same whatever was pressed.

Imports `protocol` and the pure rules of `device`. Pure: `cues` (what and how loud). `sounds`
finds, checks and makes the files, `speaker` plays them; both live on the thread of `voice`.
"""
