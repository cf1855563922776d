"""Spellings of ids, names and places: one form that stands for all in which people and sources write the same.

clean_id, id_forms   (ids)    ids as people paste them, and the forms in which a source may write one
folded               (names)  names of agents and queues, compared whatever their case, width and blanks
place                (places) folders and ``file:`` URLs in settings, as absolute paths
"""
