"""Access to recordings: who may see, hear, fetch and decide about which, beyond Airflow's permissions.

rules, document     grants and denials, and the YAML in which people write them
in_force            the document in force: adopted by a person, kept in the archive
condition           what somebody may do, as conditions of SQL: the one judgement there is
openings            what was opened to somebody for a while, by breaking the glass
"""
