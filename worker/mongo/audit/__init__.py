"""The audit log: one entry per audited act, linked per hospital into a hash chain that makes tampering visible.

- `log` builds, hashes and appends an entry; `canonical_form` defines the text that is hashed.
- `history` reads the entries of one hospital back, and compares its states before and after an act.
- `verification` reads all chains and reports tampering. `chain` has the rules for one chain, `references` supplies
  the hospital and exported head to compare it with, and `tolerant_reads` makes damaged documents readable.
"""
