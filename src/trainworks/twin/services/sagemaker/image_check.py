"""What a request that names an image is checked for."""

from __future__ import annotations

from trainworks.twin.ports import ApiError, Caller, ImageResolver


def check_image(images: ImageResolver, image: str, role: Caller) -> None:
    """Raise for an image that nothing can stand for. That `role` may not pull it fails its job later, as on AWS."""
    try:
        images.check(image, role)
    except ApiError as error:
        if not error.code.startswith("AccessDenied"):
            raise
