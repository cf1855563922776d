"""What the API and the pages show: queries, and the documents made of them. Nothing here writes."""
