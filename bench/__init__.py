"""How fast the product is, against itself and against the stock library; see bench/README.md."""
