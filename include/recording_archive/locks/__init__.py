"""Object locks in a bucket, kept at what policy and holds ask: never lowered, and counted where they are behind.

wanted       the lock that policy and holds ask for
reconcile    locks brought to that, recording by recording; those of one hold at once
waiting      why a recording cannot be deleted yet
"""
