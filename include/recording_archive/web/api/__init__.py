"""The REST API below ``/archive/api``: routes and status codes. `web.read` finds what they answer."""
