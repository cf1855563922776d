"""The Merkle tree of RFC 9162: known roots, and a path that only its own leaf fits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings as examined
from hypothesis import strategies as st

from recording_archive.ledger.merkle import Tree, leaf_hash, path_of, root_by_path, root_of

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
"""The leaves of the tests of Certificate Transparency, with the roots that its logs compute."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_roots_are_those_of_certificate_transparency() -> None:
    """Leaf by leaf, and all at once; an empty tree has the hash of nothing."""
    tree = Tree()
    assert tree.root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for number, (leaf, due) in enumerate(zip(LEAVES, ROOTS, strict=True), 1):
        tree.add(leaf)
        assert (tree.leaves, tree.root().hex()) == (number, due)
        assert root_of([leaf_hash(each) for each in LEAVES[:number]]).hex() == due


def test_a_path_is_that_of_certificate_transparency() -> None:
    """The path of the first of eight leaves, as the tests of its logs have it."""
    assert [each.hex() for each in path_of([leaf_hash(leaf) for leaf in LEAVES], 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


@examined(max_examples=100, deadline=None)
@given(leaves=st.lists(st.binary(max_size=3), min_size=1, max_size=40), data=st.data())
def test_a_path_fits_its_leaf_alone(leaves: list[bytes], data: st.DataObject) -> None:
    """Another line, another place, another size, a longer or shorter path: none leads to the root."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    leaf = data.draw(st.integers(0, len(leaves) - 1))
    path, root = path_of(hashes, leaf), root_of(hashes)
    assert root_by_path(leaves[leaf], leaf, len(leaves), path) == root
    assert root_by_path(leaves[leaf] + b"x", leaf, len(leaves), path) != root
    assert root_by_path(leaves[leaf], leaf, len(leaves), [*path, b"\0" * 32]) is None
    assert root_by_path(leaves[leaf], len(leaves), len(leaves), path) is None
    if path:
        assert root_by_path(leaves[leaf], leaf, len(leaves), path[:-1]) is None
        assert root_by_path(leaves[leaf], leaf, len(leaves), [b"\0" * 32, *path[1:]]) != root
