"""`make matrix`: the tests on every Python, redis-py major and server that this machine has, as one table."""
