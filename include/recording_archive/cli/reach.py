"""Hosts outside, as `recording-archive check` tries them: over which proxy, with which CAs, and whether they answer."""

from __future__ import annotations

import socket
import ssl
import threading
from http.client import HTTPException

from recording_archive.errors import TransientError
from recording_archive.settings import Settings
from recording_archive.sources.connection import CONN_ID, Facts
from recording_archive.sources.regions import place_of
from recording_archive.transfer.allowed_hosts import host_of
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits
from recording_archive.transfer.replies import broken

__all__ = ["media_client", "reach_media_hosts", "tell_network"]


def tell_network(facts: Facts, settings: Settings) -> str:
    """Tell how each host is reached and which CAs are trusted, and who says so; without passwords."""
    network = facts.network(settings)
    network.context()
    bases = (facts.endpoints.login_base, facts.endpoints.api_base)
    ways = [(host, network.way_to(host, port, scheme)) for scheme, host, port in map(place_of, bases)]
    ways += [(pattern, network.way_to(*host_of(pattern))) for pattern in facts.media_patterns]
    said = [
        f"{', '.join(dict.fromkeys(host for host, its in ways if its == way))} {way}"
        for way in dict.fromkeys(way for _, way in ways)
    ]
    alone = f" alone ({network.trusted.place})" if network.trusted.place else ""
    return "; ".join([*said, f"trusted CAs: {network.certificates}{alone}"])


def reach_media_hosts(facts: Facts, settings: Settings) -> str:
    """Connect to each permitted host that is no ``*.`` pattern; raise an error that names the first that fails."""
    plain = [pattern for pattern in facts.media_patterns if not pattern.startswith("*.")]
    with media_client(facts, settings) as client:
        for pattern in plain:
            _reach(client, facts, settings, pattern)
    reached = f"reached {', '.join(plain)}" if plain else "none has a plain name to try"
    return f"{', '.join(facts.media_patterns)}; {reached}{_shared(facts)}"


def _shared(facts: Facts) -> str:
    if not facts.shared_media_patterns:
        return ""
    s3 = f"S3 in {facts.endpoints.region}, " if facts.endpoints.region else ""
    return f"; signed URLs also of {s3}CloudFront and other domains of Genesys Cloud"


def media_client(facts: Facts, settings: Settings) -> MediaClient:
    """Make the client with which a run would fetch media."""
    limits, network = TransferLimits.of(settings), facts.network(settings)
    return MediaClient(facts.media_hosts, limits, stop=threading.Event(), network=network)


def _reach(client: MediaClient, facts: Facts, settings: Settings, pattern: str) -> None:
    """Connect as a transfer would; without TLS where plain http is permitted and no proxy is in between."""
    bare_v6 = pattern.count(":") > 1 and not pattern.startswith("[")
    place = client.check(f"https://{f'[{pattern}]' if bare_v6 else pattern}/")
    try:
        if facts.extra.allow_private_hosts and place.addresses:
            socket.create_connection((place.address, place.port), settings.connect_timeout_s).close()
        else:
            client.connection(place).connect()
    except ssl.SSLCertVerificationError as error:
        raise broken(error, "check", place.host) from error
    except (OSError, HTTPException) as error:
        why = str(error) if isinstance(error, OSError) else type(error).__name__  # http.client's may quote the host
        way = facts.network(settings).way_to(place.host, place.port)
        raise TransientError(
            f"Media host {pattern} cannot be reached {way} ({why}): let the firewall permit it, or correct "
            f"`media_hosts` of the connection {CONN_ID}"
        ) from error
