"""Everybody who took part in a recording: agents, queues, numbers, divisions and contacts, certain or possible.

The columns of `recordings` have the main agent, queue and customer. `Party` has everybody beside them, and
`recordings.numbers` each number in the form in which it is compared.

    interaction    who took part, by an entry of the interactions API
    conversation   who took part, by a conversation's details
    documents      the JSON form of parties, and the columns made of them
    words          parties in words, for people
    values         the values by which a recording is found, judged and held
"""
