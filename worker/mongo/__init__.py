"""All that touches MongoDB.

Every other package sees typed operations, outcomes of `worker.contract` and errors of `worker.errors`; no
error of a driver leaves this package.

Which operation needs a session, and why (the README shows the same table):

| operation | command | session | why |
|---|---|---|---|
| ingest one | `find_one_and_update`, upsert | no | one document: MongoDB writes it whole or not at all |
| ingest a chunk | `find`, `insert_many`, `bulk_write` | no | each record stands alone; one may fail by itself |
| correct | `update_one` | no | one document; status and revision in the filter are the guard |
| discard | `delete_one` | no | one document, guarded likewise |
| rejected attempt | `insert_one` into `logs` | no | one document: nothing else changed |
| register, amend, withdraw | transaction over both collections | yes | both documents or neither |
| causal read | `find_one`, `find` | yes | the session carries the time that the read must have reached |
| any other read | `find_one`, `find` | no | nothing to be tied to |

A transaction needs a replica set or a sharded cluster; the sessionless operations alone would not.
"""
