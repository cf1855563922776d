"""Faults at work: `due` counts and picks them, the others change a reply.

`replies` changes a reply as a whole, `media` its ranges, ETags and bytes, `fields` the content of API replies.
The kinds of faults are in `settings.fault`.
"""
