"""The edge in containers: what compose and Kubernetes fill in."""

from dataclasses import replace

from deploy.nginx.form import Door, EdgeForm

COMPOSE_RESOLVER = "127.0.0.11"
"""Docker's own name server, the same in every network of a user's."""

KUBERNETES_RESOLVER = "kube-dns.kube-system.svc.cluster.local"
"""The cluster's name server; nginx looks its address up once, at start."""

_PLAIN = "0.0.0.0:8080"
_TLS = "0.0.0.0:8443"
_SECONDS_OF_SOCKETS = 3_600
_HTTPS_PORT = 443


def compose_form(host: str, files_host: str, port: int = _HTTPS_PORT) -> EdgeForm:
    """Return the edge of ``docker compose``: services by the names of their containers.

    Args:
        host: Public name of the site.
        files_host: Public name of users' bytes; another host, so that nothing of theirs
            runs as ours.
        port: Where clients reach it over TLS.
    """
    form = _in_container(
        (host, files_host),
        gateways=("gateway:21010",),
        sockets=("chat:21013",),
        stores=("s3:8333",),
        resolver=COMPOSE_RESOLVER,
        secrets="/run/secrets",
    )
    if port == _HTTPS_PORT:
        return form
    return replace(
        form,
        origins=(f"https://{host}:{port}",),
        files_origins=(f"https://{files_host}:{port}",),
    )


def kubernetes_form(host: str, files_host: str, namespace: str = "parley") -> EdgeForm:
    """Return the edge of a cluster: services by headless names, one address a pod.

    Args:
        host: Public name of the site.
        files_host: Public name of users' bytes.
        namespace: Where Parley's services are.
    """
    suffix = f"{namespace}.svc.cluster.local"
    return _in_container(
        (host, files_host),
        gateways=(f"gateway.{suffix}:21010",),
        sockets=(f"chat-sockets.{suffix}:21013",),
        stores=(f"s3.{suffix}:8333",),
        resolver=KUBERNETES_RESOLVER,
        secrets="/etc/edge-tls",
    )


def _in_container(
    hosts: tuple[str, str],
    *,
    gateways: tuple[str, ...],
    sockets: tuple[str, ...],
    stores: tuple[str, ...],
    resolver: str,
    secrets: str,
) -> EdgeForm:
    """Return a form for a read-only root and a user of no rights."""
    host, files_host = hosts
    return EdgeForm(
        site=Door((host,), tls=(_TLS,)),
        files=Door((files_host,), tls=(_TLS,)),
        redirect=(_PLAIN,),
        origins=(f"https://{host}",),
        files_origins=(f"https://{files_host}",),
        gateways=gateways,
        sockets=sockets,
        stores=stores,
        resolver=resolver,
        certificate=f"{secrets}/tls.crt",
        certificate_key=f"{secrets}/tls.key",
        web_folder="/srv/web",
        temp_folder="/tmp",  # noqa: S108 - the only writable folder of the container
        pid_file="/tmp/nginx.pid",  # noqa: S108 - see above
        site_log="/dev/stdout",
        files_log="/dev/stdout",
        bucket="parley-media",
        workers=2,
        shutdown_seconds=_SECONDS_OF_SOCKETS,
    )
