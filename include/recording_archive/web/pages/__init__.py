"""Pages for people: routes that put what `web.read` finds into templates."""
