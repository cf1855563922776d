"""The public platform API: conversations, details queries and jobs, batch downloads, playback, directory.

Its replies have the shape of ``openapi.json``, a copy of what is known of the real API trimmed to the paths in use; the
tests validate every reply against it. `traps` names what the real service is known to do to those who do not expect it;
each is switched on by the option ``traps``. Reading order: `routes`, then `world` and what answers: `details`, `jobs`,
`batches`, `playback`, `directory`.
"""
