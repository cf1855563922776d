"""Values as words of the pages: `formats` for numbers and times, `terms` for what happened."""
