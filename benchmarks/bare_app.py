"""What the gateway is compared with: an application that only parses the body of a registration."""

from fastapi import FastAPI

from producers.gateway.shapes import Registration

app = FastAPI(openapi_url=None)


@app.post("/v1/jobs/register_hospital", status_code=202)
async def register_hospital(body: Registration) -> dict[str, str]:
    """Answer with a part of the body."""
    return {"reason": body.reason}
