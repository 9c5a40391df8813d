"""The settings of the gateway, in the types that its services take."""

import json
from importlib.resources import files
from urllib.parse import urlsplit

from app.domain.gateways.origins import EndpointPolicy
from app.domain.gateways.system_configs import SystemConfigs
from app.domain.gateways.urls import ConfigUrls
from config.settings import Settings

_SYSTEM_CONFIGS = files("config") / "gateways.json"


def system_configs() -> SystemConfigs:
    """Load the gateway configs of the system."""
    return SystemConfigs(json.loads(_SYSTEM_CONFIGS.read_text()))


def config_urls(settings: Settings) -> ConfigUrls | None:
    """Return the URLs of configs, or ``None`` without a gateway."""
    return None if settings.gateway_url is None else ConfigUrls(settings.gateway_url)


def endpoint_policy(settings: Settings) -> EndpointPolicy:
    """Return the operator's rules for upstreams."""
    own = settings.gateway_url and urlsplit(settings.gateway_url).hostname
    return EndpointPolicy(
        hosts=settings.gateway_hosts or None,
        admits_http=bool(settings.gateway_networks),
        own_host=own,
    )
