"""What a page may ask of a session: a closed list, checked before anything is handed on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

By = Annotated[str, Field(min_length=1, max_length=40)]
Text = Annotated[str, Field(max_length=1000)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True, allow_inf_nan=False)


class Acknowledge(_Request):
    """Somebody has seen an alarm."""

    do: Literal["acknowledge"]
    alarm: Annotated[str, Field(min_length=1, max_length=80)]
    by: By


class Ready(_Request):
    """The coil is in place."""

    do: Literal["ready"]


class Rating(_Request):
    """Discomfort, 0 none to 10 the worst."""

    do: Literal["rating"]
    site: Annotated[str, Field(max_length=40)] = ""
    value: Annotated[int, Field(ge=0, le=10)]


class AdverseEvent(_Request):
    """Something happened to the patient."""

    do: Literal["adverse_event"]
    what: Annotated[str, Field(min_length=1, max_length=40)]
    severity: Literal["mild", "moderate", "severe"]
    text: Text
    by: By


class Remark(_Request):
    """A note for the log."""

    do: Literal["remark"]
    text: Annotated[str, Field(min_length=1, max_length=1000)]


class Intensity(_Request):
    """What the stimulator really stands at."""

    do: Literal["intensity"]
    mso_pct: Annotated[float, Field(gt=0.0, le=100.0)]
    by: By


class ObservationOver(_Request):
    """The patient has been watched for long enough after an event."""

    do: Literal["observation_over"]
    by: By


class SkipSite(_Request):
    """Go on with the next site."""

    do: Literal["skip_site"]


class End(_Request):
    """End the session."""

    do: Literal["end"]
    by: By
    why: Annotated[str, Field(min_length=1, max_length=1000)]


Request = Acknowledge | Ready | Rating | AdverseEvent | Remark | Intensity | ObservationOver | SkipSite | End
_REQUESTS: TypeAdapter[Any] = TypeAdapter(Annotated[Request, Field(discriminator="do")])


def parse_request(line: str | bytes) -> tuple[str, dict[str, Any]] | None:
    """Name and fields of a request; None when it is none of ours."""
    try:
        request = _REQUESTS.validate_json(line)
    except ValidationError:
        return None
    return _name_and_fields(request)


def parse_fields(do: str, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The same from values. Raises pydantic's ValidationError."""
    return _name_and_fields(_REQUESTS.validate_python({"do": do, **fields}))


def _name_and_fields(request: BaseModel) -> tuple[str, dict[str, Any]]:
    fields = request.model_dump()
    return str(fields.pop("do")), fields
