"""What is counted and timed: kept by day and month, added up over any period and unit."""
