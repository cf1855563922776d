"""The public platform API: conversations, details queries and jobs, batch downloads, playback, directory.

Its replies have the shape of ``openapi.json``, a copy of what is known of the real API trimmed to the paths in use; the
tests validate every reply against it. `settings.traps` names surprises of the real service; the option ``traps``
switches each on. Reading order: `routes`, `call`, then the operations: `details` (with `participants` and
`detail_filters`), `jobs`, `batches`, `playback`, `orphans`, `directory`. The conversations are in `recordings.world`.
"""
