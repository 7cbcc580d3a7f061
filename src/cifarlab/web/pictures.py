"""The picture in a request: the body as it is, or the one file in a form."""

from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

_BINARY = {"schema": {"type": "string", "format": "binary"}}
OPENAPI_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A PNG, JPEG, WebP or BMP file up to 2 MB: as the body, or as a form's field.",
        "content": {
            **{f"image/{kind}": _BINARY for kind in ("png", "jpeg", "webp", "bmp")},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["picture"],
                    "properties": {"picture": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


async def picture_of(request: Request) -> bytes:
    """The bytes of the picture that was sent.

    Raises:
        HTTPException: 422, there is none.
    """
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=8) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            content = await files[0].read() if files else b""
    else:
        content = await request.body()
    if not content:
        raise HTTPException(422, "no picture was sent; send a file as the body or as the field picture")
    return content
