"""Figures for a monitoring system: what is in the archive, what waits, and how far behind it is."""
