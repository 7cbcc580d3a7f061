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
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    content = await _file_in_form(request) if is_form else await request.body()
    if not content:
        raise HTTPException(422, "no picture was sent; send a file as the body or as the field picture")
    return content


async def _file_in_form(request: Request) -> bytes:
    """The file in the form; nothing if the form is empty."""
    try:
        async with request.form(max_files=1, max_fields=8) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if form and not files:
                raise HTTPException(422, "the form holds no file; curl sends one with -F picture=@FILE")
            return await files[0].read() if files else b""
    except HTTPException as error:
        raise HTTPException(422, error.detail) from error  # Starlette says 400 of a broken form
