"""What is told of operations: metrics, slow ones, usage, traces, logs."""
