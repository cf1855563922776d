"""The packages of the wheel: those of `include/`, and DAGs and plugin, whose source lies in folders of their own."""

from __future__ import annotations

from setuptools import find_packages, setup

BESIDE = {"recording_archive.dags": "dags", "recording_archive.plugins": "plugins"}

setup(
    packages=[*find_packages("include"), *BESIDE],
    package_dir={"": "include", **BESIDE},
    options={"egg_info": {"egg_base": "."}},  # metadata in include/ would be taken for an installation's
)
