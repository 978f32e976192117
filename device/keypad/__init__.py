"""Button pads beside the screen: models as data files, bytes into presses, presses into taps.

Imports `protocol` and the pure rules of `device`. Pure: all but `port` (pyserial), `pad` (one
connection's thread) and `pads` (the root). A level is never guessed: what is not wholly understood
is counted.
"""
