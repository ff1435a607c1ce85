"""What the gateway says of the client."""

from typing import Annotated

from fastapi import Header

ClientAddress = Annotated[str, Header(alias="X-Client-Address", max_length=64)]
