"""openapi.json is valid, has every route, and answers are what it says."""

from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from gateway.http.server import routes
from tests.gateway.http.conftest import Web


async def document(web: Web) -> Any:
    return (await web.ask("GET", "/openapi.json")).json


async def test_the_document_is_valid_and_has_every_route(web: Web) -> None:
    found = await document(web)
    validate(found)
    in_document = {(method.upper(), path) for path, methods in found["paths"].items() for method in methods}
    assert in_document == {(route.method, route.template) for route in routes()}
    operations = [operation for methods in found["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


async def test_the_document_says_where_a_token_is_needed(web: Web) -> None:
    paths = (await document(web))["paths"]
    assert paths["/v1/courses"]["get"]["security"] == [{"bearer": []}]
    assert paths["/v1/sign-in"]["post"]["security"] == []
    assert {"401", "404"} <= paths["/v1/items/{item}"]["get"]["responses"].keys()
    parameters = paths["/v1/courses"]["get"]["parameters"]
    assert [one["name"] for one in parameters if one["in"] == "query"] == ["after", "limit"]


async def test_the_document_says_what_a_write_needs_and_gives(web: Web) -> None:
    paths = (await document(web))["paths"]
    replace = paths["/v1/teaching/courses/{course}"]["put"]
    assert {"If-Match", "course"} == {parameter["name"] for parameter in replace["parameters"]}
    assert {"200", "403", "404", "412", "428"} <= replace["responses"].keys()
    begin = paths["/v1/teaching/courses"]["post"]
    assert "Idempotency-Key" in {parameter["name"] for parameter in begin["parameters"]}
    assert {"201", "403", "409"} <= begin["responses"].keys()
    leave = paths["/v1/courses/{course}/enrolment"]["delete"]
    assert "content" not in leave["responses"]["204"]
    assert "304" in paths["/v1/courses"]["get"]["responses"]


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/v1/courses", "/v1/courses"),
        ("/v1/courses/{course}", "/v1/courses/systems"),
        ("/v1/courses/{course}/progress", "/v1/courses/systems/progress"),
        ("/v1/items/{item}", "/v1/items/intro"),
        ("/v1/me", "/v1/me"),
        ("/v1/progress/{item}", "/v1/progress/intro"),
        ("/v1/progress/{item}/explain", "/v1/progress/intro/explain"),
        ("/v1/progress/{item}/explain", "/v1/progress/intro/explain?at=2026-03-02T19:00:00Z"),
        ("/v1/progress/{item}/history", "/v1/progress/intro/history"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/.well-known/jwks.json", "/.well-known/jwks.json"),
    ],
)
async def test_answers_are_what_the_document_says(web: Web, template: str, path: str) -> None:
    found = await document(web)
    schema = found["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    schema = schema | {"components": found["components"]}
    answer = await web.ask("GET", path, student="mira")
    assert answer.status == 200
    OAS31Validator(schema).validate(answer.json)
    with pytest.raises(Exception, match="required property"):
        OAS31Validator(schema).validate({})
