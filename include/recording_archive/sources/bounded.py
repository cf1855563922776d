"""Bounds for the replies that a session gets, whichever adapter gets them: `transfer.bounds` for `requests`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager

from recording_archive.transfer.bounds import Bounds, bounded

__all__ = ["bind"]

_Pools = Mapping[str, type[HTTPConnectionPool]]


def bind(session: requests.Session, bounds: Bounds) -> None:
    """Let every connection that the session's adapters will open keep to ``bounds``."""
    pools = {"http": _bounded(HTTPConnectionPool, bounds), "https": _bounded(HTTPSConnectionPool, bounds)}
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            adapter.poolmanager.pool_classes_by_scheme = pools
            proxied = _with_pools(adapter.proxy_manager_for, pools)
            adapter.proxy_manager_for = proxied  # type: ignore[method-assign]  # adapters of others keep what they add


def _bounded(pool: type[HTTPConnectionPool], bounds: Bounds) -> type[HTTPConnectionPool]:
    """Make a class of pools like ``pool``, whose connections read replies within bounds."""
    connection = type("BoundedConnection", (pool.ConnectionCls,), {"response_class": staticmethod(bounded(bounds))})
    return type("BoundedPool", (pool,), {"ConnectionCls": connection})


def _with_pools(manager_for: Callable[..., PoolManager], pools: _Pools) -> Callable[..., PoolManager]:
    def bounded_manager_for(*args: object, **kwargs: object) -> PoolManager:
        manager = manager_for(*args, **kwargs)
        if type(manager) is ProxyManager:  # the one for SOCKS has pools of its own
            manager.pool_classes_by_scheme = dict(pools)
        return manager

    return bounded_manager_for
