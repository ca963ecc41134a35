"""HTTP clients that follow this machine's proxies and certificates, and the hosts that bytes may go to.

httpx reads the same variables, but ends with a traceback at a proxy or a certificate file that it does not
like, and takes credentials from ~/.netrc, which would break a presigned request. So the variables are read here.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import contextlib
import functools
import ipaddress
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import httpx

from panicroom.exit_codes import ExitCode, Problem
from panicroom.setting_values import LOOPBACK
from panicroom.shown import shown

_PROXY_SCHEMES = {
    "http": "http",
    "https": "https",
    "socks5": "socks5",
    "socks5h": "socks5h",
    "socks": "socks5",
}
"""GNOME writes ``socks://`` for what everybody else calls ``socks5://``."""


def http_client(
    timeout: httpx.Timeout, limits: httpx.Limits | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Client:
    """A client for any host: each request goes the way that the environment gives for its host.

    Raises ``Problem`` naming the variable that is wrong. Never follows a redirect.
    """
    context = tls_context(os.environ)
    limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)

    def transport(proxy: httpx.Proxy | None) -> httpx.BaseTransport:
        return httpx.HTTPTransport(verify=context, proxy=proxy, limits=limits, trust_env=False)

    return httpx.Client(
        transport=_ByHost(transport),
        timeout=timeout,
        headers=headers,
        trust_env=False,
        follow_redirects=False,
    )


class _ByHost(httpx.BaseTransport):
    """Sends each request directly or through the proxy of its host; connections are shared."""

    def __init__(self, new: Callable[[httpx.Proxy | None], httpx.BaseTransport]) -> None:
        self._new = new
        self._transports: dict[str | None, httpx.BaseTransport] = {}
        for scheme in ("http", "https"):  # a wrong variable is found now, and not in the middle of a run
            proxy_for(f"{scheme}://host.invalid", os.environ)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(str(request.url), os.environ)
        key = proxy.url if proxy else None
        if key not in self._transports:
            self._transports[key] = self._new(httpx.Proxy(proxy.url) if proxy else None)
        try:
            return self._transports[key].handle_request(request)
        except httpx.TransportError as error:
            if proxy is None:
                raise
            text = f"through the proxy in {proxy.variable}: {error or type(error).__name__}"
            raise type(error)(text) from None

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()


class ProxyChoice:
    """A proxy's URL and the variable (or the system's settings) that names it."""

    def __init__(self, url: str, variable: str) -> None:
        self.url, self.variable = url, variable


def proxy_for(url: str, environment: Mapping[str, str]) -> ProxyChoice | None:
    """The proxy for ``url``, None for a direct connection. A Problem names a variable that cannot be used."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    names = [f"{parts.scheme}_proxy", f"{parts.scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"]
    variable = next((name for name in names if environment.get(name)), None)
    if _is_excepted(host, environment.get("no_proxy") or environment.get("NO_PROXY") or ""):
        return None
    if variable is None:
        with contextlib.suppress(OSError):
            system = getproxies().get(parts.scheme)  # macOS: what System Settings say
            if system and not proxy_bypass(host):
                return ProxyChoice(_proxy_url(system, "the system's settings"), "the system's settings")
        return None
    return ProxyChoice(_proxy_url(environment[variable], variable), variable)


def _proxy_url(text: str, variable: str) -> str:
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "http", text.strip()
    url = f"{_PROXY_SCHEMES.get(scheme.lower(), '')}://{rest}"
    try:
        usable = bool(httpx.Proxy(url) and urlsplit(url).hostname)
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise Problem(
            f"{variable}={shown(text)} is no proxy that can be used; give http://, https:// or socks5:// and "
            f"HOST:PORT, or unset it",
            ExitCode.SETTINGS,
        )
    return url


def _is_excepted(host: str, text: str) -> bool:
    """Whether ``NO_PROXY`` has the host: a name, a domain, an address, or a range of addresses; ``*`` is all."""
    for raw in text.split(","):
        entry = raw.strip().lower()
        if not entry:
            continue
        if entry == "*" or _same_network(host, entry):
            return True
        name = re.sub(r":\d+$", "", entry).lstrip(".")
        if host == name or (name and host.endswith("." + name)):
            return True
    return False


def _same_network(host: str, entry: str) -> bool:
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False


def tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Trusts what ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` names, else the authorities that Mozilla trusts."""
    for variable, what in (("SSL_CERT_FILE", "file"), ("SSL_CERT_DIR", "folder")):
        value = environment.get(variable)
        if not value:
            continue
        try:
            if what == "file":
                return _context(cafile=value)
            if os.path.isdir(value):  # noqa: PTH112
                return _context(capath=value)
        except OSError:
            pass
        raise Problem(
            f"{variable}={shown(value)} names no {what} of certificates; correct or unset it",
            ExitCode.SETTINGS,
        )
    return _context(cafile=certifi.where())


@functools.lru_cache
def _context(cafile: str | None = None, capath: str | None = None) -> ssl.SSLContext:
    """Takes a moment to make; the clients of a process share it."""
    try:
        return ssl.create_default_context(cafile=cafile, capath=capath)
    except OSError as error:
        if error.filename is None:  # the certificates
            raise
        raise Problem(
            f"SSLKEYLOGFILE={shown(str(error.filename))} cannot be written ({error.strerror}); correct or unset it",
            ExitCode.SETTINGS,
        ) from None


_S3_HOST = re.compile(
    r"(?:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\.)?"  # the bucket
    r"s3(?:[.-][a-z0-9-]+){0,3}\.amazonaws\.com(?:\.cn)?"
)

_SENT_HEADERS = re.compile(
    r"content-(?:length|type|md5)|if-none-match|"
    r"x-amz-(?:checksum-[a-z0-9]+|sdk-checksum-algorithm|storage-class|tagging|meta-[a-z-]{1,40}|"
    r"content-sha256|server-side-encryption[a-z-]*|object-lock-[a-z-]+|expected-bucket-owner)"
)
"""What the service may have us send to S3. Nothing else: no ``Authorization``, ``Host`` or ``Cookie``."""


def link_fault(url: str, headers: Mapping[str, str], service_url: str) -> str | None:
    """Why a presigned URL of the service is not followed; None if it is one of S3.

    A service on this very machine (a local stack) may name this machine as well.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return "it is no URL"
    local = urlsplit(service_url).hostname in LOOPBACK and host in LOOPBACK
    if parts.username or parts.password or not url.isascii() or not url.isprintable() or " " in url:
        return "it is no URL of S3"
    if not local and not (parts.scheme == "https" and _S3_HOST.fullmatch(host) and port in (None, 443)):
        return f"{shown(host, 80)} is no host of S3"
    for name, value in headers.items():
        if not _SENT_HEADERS.fullmatch(name.lower()) or not value.isascii() or not value.isprintable():
            return f"it asks for the header {shown(name, 40)}"
    return None


class TooLarge(Exception):
    """An answer that is larger than any should be, slower, or packed."""


def read_capped(response: httpx.Response, most_bytes: int, most_seconds: float = 120.0) -> bytes:
    """The body as it was sent; ``TooLarge`` beyond the caps. Packed bodies are refused, since a megabyte of them
    can unpack to a gigabyte."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise TooLarge("it is packed")
    give_up_at = time.monotonic() + most_seconds
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > most_bytes:
            raise TooLarge(f"it has more than {most_bytes // 2**20} MB")
        if time.monotonic() > give_up_at:
            raise TooLarge(f"it takes more than {most_seconds:.0f} seconds")
    return bytes(body)
