"""Content of the sandbox: recordings and conversations, made from a seed or taken from a folder.

`recording` is one of them, `library` all, `filters` the grammar that selects among them. `plan` and `make` create the
library, `digital` and `stray` chats, e-mails and orphans; `world` groups them into conversations of the platform API.
"""
