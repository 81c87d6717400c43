"""What is told of figures: boards, rankings and why, maps, flags, tables."""
