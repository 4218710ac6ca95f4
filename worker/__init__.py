"""The hospital registry worker: arq jobs that keep a registry of hospitals in MongoDB."""
