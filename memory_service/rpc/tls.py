"""TLS towards callers: certificates from files, which may be rotated while the service runs."""

from pathlib import Path

import grpc

from memory_service.access.reloading_files import ReloadingFiles


def server_credentials(certificate: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    """Credentials that take up new certificates at the next handshake. With `client_ca` only clients that show a
    certificate of these authorities are let in.

    Raises:
        OSError, ValueError: a file is missing or no PEM file.
    """
    files = ReloadingFiles([certificate, key, *([client_ca] if client_ca else [])], _configuration)
    current = files.value()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        # Called at every handshake, in a thread of gRPC's; None means that nothing has changed.
        nonlocal current
        latest = files.value()
        if latest is current:
            return None
        current = latest
        return latest

    return grpc.dynamic_ssl_server_credentials(
        current,
        changed,  # type: ignore[arg-type] # the stub does not know of None
        require_client_authentication=client_ca is not None,
    )


def _configuration(contents: list[bytes]) -> grpc.ServerCertificateConfiguration:
    certificate, key, *client_ca = contents
    # A file that is half written must not replace a good one.
    if not all(b"-----END " in one for one in contents):
        raise ValueError("not every file is a whole PEM file")
    return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca[0] if client_ca else None)
