"""d."""
def test_x(broker):
    """x."""
    broker.kill()
    broker.start()
