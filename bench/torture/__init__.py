"""A whole hall under random faults: nothing that was thanked for may be lost, doubled or altered.

`python -m bench.torture --faults 1000 --seed 1 --out DIR`.
"""
