"""A federation of real servers and processes under writes, while chance puts it through faults."""
