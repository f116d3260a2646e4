"""What a component of the world `data-source-with-probe` exports besides."""

import re

from component import FAMILY, Transforming  # noqa: F401  (exported again)
from componentize_py_types import Err
from sluice import Finding, Options
from transforming import answered, findings, leaves
from wit_world import exports
from wit_world.exports import probing
from wit_world.imports import net

_USUAL = {
    "https": (443, net.Tls.REQUIRED),
    "wss": (443, net.Tls.REQUIRED),
    "http": (80, net.Tls.OFF),
    "ws": (80, net.Tls.OFF),
}
_ENDPOINT = re.compile(r"(?:([a-z]+)://)?(\[[^\]]*\]|[^:/?#]*)(?::([0-9]+))?(?:[/?#].*)?")

_TOLD = {
    net.Failure_NotGranted: "the workspace does not grant it",
    net.Failure_Unresolved: "its name has no address",
    net.Failure_PrivateAddress: "its address is private and not granted",
    net.Failure_Refused: "nobody answers there",
    net.Failure_TimedOut: "there was no answer in time",
    net.Failure_TooLarge: "its answer is too large",
    net.Failure_Limit: "it was asked too often",
    net.Failure_BadResponse: "it does not speak HTTP",
}
_FIX = {
    net.Failure_NotGranted: "grant the host to the plugin in the configuration, if it may be asked",
    net.Failure_PrivateAddress: "grant the private range to the plugin in the configuration, if it may be asked",
    net.Failure_Unresolved: "correct the host in the environment's binding",
}


def _address(endpoint):
    """The address of an endpoint as traits name it: `host:port`, or a URL's scheme, host and port.

    A bare `host:port` is reached without TLS: what databases speak negotiates it in a protocol of
    their own.
    """
    found = _ENDPOINT.fullmatch(endpoint)
    if not found:
        return None
    scheme, host, given = found.groups()
    usual, tls = _USUAL.get(scheme, (0, net.Tls.OFF))
    port = int(given) if given else usual
    host = host.removeprefix("[").removesuffix("]")
    return (host, port, tls) if host and 0 < port < 65536 else None


def _reached(endpoint, target):
    """What is wrong with an endpoint, as a list of at most one finding."""
    address = _address(endpoint)
    if not address:
        fix = "give the option its value for this environment"
        return [Finding("warning", "target.unknown", f"`{endpoint}` names no host and port", fix=fix)]
    try:
        net.reach(*address)
    except Err as error:
        of = type(error.value)
        why = _TOLD.get(of) or f"TLS failed, {error.value.value}"
        fix = _FIX.get(of, "see that the target runs and can be reached from here")
        message = f"`{address[0]}:{address[1]}` in {target} is not reached: {why}"
        return [Finding("warning", "target.unreachable", message, fix=fix)]
    return []


class Probing(exports.Probing):
    def probe(self, source, target, credentials):
        kind = answered(FAMILY.kind, source.kind.platform, source.kind.name)
        endpoints = FAMILY.traits(Options.of(kind, leaves(source.options))).endpoints
        found = [finding for endpoint in endpoints for finding in _reached(endpoint, target.name)]
        # What has no address was not asked: it is neither there nor not.
        is_unreached = any(finding.code == "target.unreachable" for finding in found)
        is_known = bool(endpoints) and (is_unreached or not found)
        return probing.Probed(not is_unreached if is_known else None, None, findings(found))
