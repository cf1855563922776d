"""The data of API and pages: queries, and the documents made of them. Nothing here writes."""
