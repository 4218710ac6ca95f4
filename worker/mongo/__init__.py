"""All that touches MongoDB.

Every other package sees typed operations, outcomes of `worker.contract` and errors of `worker.errors`; no
error of a driver leaves this package.
"""
