"""The audit log: its entries and their hash chains, how they are read back, and how tampering is found."""
