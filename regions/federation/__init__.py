"""Many nodes: who holds which region, how a hub follows them, how a region moves."""
