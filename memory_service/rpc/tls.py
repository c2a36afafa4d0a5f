"""TLS for callers. Certificates come from files and may be rotated while the service runs."""

from pathlib import Path

import grpc

from memory_service.access.reloading_files import ReloadingFiles


def server_credentials(certificate: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    """Return credentials that use new certificates from the next handshake on.

    With `client_ca`, every client must present a certificate that one of these authorities signed.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not PEM.
    """
    files = ReloadingFiles([certificate, key, *([client_ca] if client_ca else [])], _parse)
    current = files.value()

    def fetch_configuration() -> grpc.ServerCertificateConfiguration | None:
        # gRPC calls this at every handshake, in one of its threads. None means that nothing has changed.
        nonlocal current
        latest = files.value()
        if latest is current:
            return None
        current = latest
        return latest

    return grpc.dynamic_ssl_server_credentials(
        current,
        fetch_configuration,  # type: ignore[arg-type] # the stub does not allow None
        require_client_authentication=client_ca is not None,
    )


def _parse(contents: list[bytes]) -> grpc.ServerCertificateConfiguration:
    certificate, key, *client_ca = contents
    # A partly written file must not replace a valid one.
    if not all(b"-----END " in content for content in contents):
        raise ValueError("one of these files is not a complete PEM file: check each of them")
    return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca[0] if client_ca else None)
