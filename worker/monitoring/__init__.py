"""What an operator sees of the queues, beside what the engine logs."""
