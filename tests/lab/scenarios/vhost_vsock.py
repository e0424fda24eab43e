"""A guest over the kernel's own vhost-vsock, in a VM inside a VM if need be."""

from scenarios.guest_published import play  # noqa: F401 # pylint: disable=unused-import

KERNELS_VSOCK = True
