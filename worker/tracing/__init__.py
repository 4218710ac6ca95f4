"""Spans for OpenTelemetry, if `QUEUE_TRACING` asks for them.

- `send_spans`: what a producer enqueues. It uses the tracer provider of the service that it runs in.
- `job_spans` and `command_spans`: each try of a job, and each MongoDB command in it.
- `worker_tracing`: a worker's own provider, and what exports its spans.

The names of spans and attributes are those of OpenTelemetry's semantic conventions for messaging and for databases.
Nothing outside of this package imports OpenTelemetry, which the extra `otel` installs, and these modules are
imported only if tracing is on.
"""
