"""Other people's clients and test suites at the running product; see conformance/README.md."""
