"""Registers the connection type `genesys_cloud` with Airflow, as providers do."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the metadata that Airflow reads through the entry point `apache_airflow_provider`."""
    return {
        "package-name": "recording-archive",
        "name": "Recording archive for Genesys Cloud",
        "description": "Archives interaction recordings of Genesys Cloud, and proves it.",
        "versions": [version("recording-archive")],
        "connection-types": [
            {
                "connection-type": "genesys_cloud",
                "hook-name": "Genesys Cloud",
                "hook-class-name": "recording_archive.hooks.GenesysCloudHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port"],
                    "relabeling": {"login": "Client ID", "password": "Client secret", "host": "Region or domain"},
                    "placeholders": {"host": "us-east-1, eu_west_1, mypurecloud.ie …"},
                },
                "conn-fields": {
                    "api": _text(
                        "API",
                        "conversations (the public platform API) or interactions.",
                    ),
                    "api_base": _text("API address", "Only to override https://api.{domain}."),
                    "login_base": _text("Login address", "Only to override https://login.{domain}."),
                    "media_hosts": _text(
                        "Media hosts",
                        "Comma list of hosts media may come from, such as *.example.com or 10.0.0.5:9000.",
                    ),
                    "allow_private_hosts": {
                        "label": "Allow private hosts",
                        "description": "Permit loopback and private addresses, and plain http to them.",
                        "schema": {"type": ["boolean", "null"]},
                    },
                    "organization": _text("Organization", "First folder of the archive's keys; default: default."),
                    "recording_metadata": {
                        "label": "Recording metadata",
                        "description": "API conversations: one more request each for annotations and delete dates.",
                        "schema": {"type": ["boolean", "null"]},
                    },
                    "participant_attributes": _text(
                        "Participant attributes",
                        "API conversations: comma list of the attributes to keep; none by default.",
                    ),
                    "proxies": _text("Proxy", "http://[user:password@]host:port; default: setting or HTTPS_PROXY."),
                    "ca_file": _text(
                        "CA file", "PEM file of trusted CAs, on every worker; default: setting, REQUESTS_CA_BUNDLE …"
                    ),
                },
            }
        ],
    }


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}
