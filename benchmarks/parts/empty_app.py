"""Run an empty FastAPI app on uvicorn, the reference for how soon an api process answers.

python empty_app.py PORT
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Ready(BaseModel):
    """The answer."""

    ready: bool


app = FastAPI()


@app.get("/readyz")
async def readyz() -> Ready:
    """Always answer that the app is ready."""
    return Ready(ready=True)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
