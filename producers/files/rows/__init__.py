"""Which rows of a table are hospitals, and which of these may be one hospital."""
