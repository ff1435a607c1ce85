"""Renders ``.env.example`` from settings classes, so that it cannot go stale."""

from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from libs.chassis.settings import ServiceSettings

_HEADER = """\
# Every setting of every service; written by `make docs`, checked by `make check`.
#
# A service reads its environment, and files: PARLEY_SECRETS_DIR names a folder with a
# file per variable, named as the variable in lower case (chat_mongo_url holds
# CHAT_MONGO_URL); white space around the value is dropped. The environment wins over
# the file. Secrets belong into files of mode 0600, and so do the key files that the
# ..._FILE variables name.
#
# PARLEY_SECRETS_DIR=
"""


class SettingUndocumentedError(Exception):
    """A setting has no description; the message is one sentence that names it."""


def render_env_example(classes: Iterable[type[ServiceSettings]]) -> str:
    """Return the lines of ``.env.example`` for some services.

    Every variable has a comment with its type, whether it is required, and its
    description. Optional ones are commented out at their default.

    Raises:
        SettingUndocumentedError: A field has no description.
    """
    lines = [*_HEADER.splitlines(), ""]
    for cls in classes:
        lines += [f"# ---- {cls.service_name()} ----", ""]
        for name, field in cls.model_fields.items():
            lines += _field_lines(cls, name, field)
    return "\n".join(lines).rstrip("\n") + "\n"


def _field_lines(cls: type[ServiceSettings], name: str, field: FieldInfo) -> list[str]:
    if not field.description:
        raise SettingUndocumentedError(
            f"{cls.__name__}.{name} has no description: give its Field one."
        )
    variable = f"{cls.model_config.get('env_prefix', '')}{name}".upper()
    kind = _type_name(field.annotation)
    need = "required" if field.is_required() else "optional"
    comment = f"# {field.description} ({kind}, {need})"
    if field.is_required():
        return [comment, f"{variable}=", ""]
    return [comment, f"# {variable}={_default_text(field)}", ""]


def _default_text(field: FieldInfo) -> str:
    default = field.default
    if field.default_factory is not None or default is None:
        return ""
    if isinstance(default, (tuple, list)):
        return ",".join(str(part) for part in default)
    if isinstance(default, bool):
        return str(default).lower()
    return str(default)


def _type_name(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(str(choice) for choice in arguments)
    if origin in (Union, UnionType):
        named = [part for part in arguments if part is not NoneType]
        return " | ".join(_type_name(part) for part in named)
    if origin in (tuple, list):
        return "list, comma-separated"
    if annotation is SecretStr:
        return "secret"
    if isinstance(annotation, type) and issubclass(annotation, Path):
        return "path"
    return getattr(annotation, "__name__", str(annotation))
