"""All code that touches MongoDB.

- Connection: `client` opens the shared client, `pool` counts its connections, and `driver_patches` corrects
  PyMongo's check for session support.
- Start: `startup` checks that the server is usable, `schema` creates validators and indexes.
- Writes: `hospitals` has the sessionless operations on one hospital, `chunks` ingests many records, and
  `registrations` has the audited acts. They build on `documents` (a record as a MongoDB document), `transactions`
  (runs and commits a transaction) and `stale_transactions` (aborts those of dead workers).
- Outbox: `outbox_writes` adds jobs to it, in transactions of other programs; `outbox` is what its relay reads.
- Reads: `reader` finds hospitals; `causal` and `tokens` make a read see a given write.
- `errors` translates driver errors. `audit` is the audit log.

Other packages see typed operations, outcomes of `worker.contract` and errors of `worker.errors`; no driver error
leaves this package.

Which operation needs a session, and why (the README shows the same table):

| operation | command | session | why |
|---|---|---|---|
| ingest one | `find_one_and_update`, upsert | no | one document: MongoDB writes all of it or nothing |
| ingest a chunk | `find`, `insert_many`, `bulk_write` | no | records are independent; one may fail alone |
| correct | `update_one` | no | one document; status and revision in the filter guard it |
| discard | `delete_one` | no | one document, with the same guard |
| rejected attempt | `insert_one` into `logs` | no | one document: nothing else changes |
| register, amend, withdraw | transaction over both collections | yes | both documents or neither |
| causal read | `find_one`, `find` | yes | the session carries the time that the read must have reached |
| any other read | `find_one`, `find` | no | it does not depend on an earlier write |

A transaction needs a replica set or a sharded cluster; the sessionless operations would work without either.
"""
