"""Choices that start a sandbox: `options` (every flag), `fault` (what can go wrong), `traps` (platform surprises)."""
