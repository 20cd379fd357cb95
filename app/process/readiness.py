import http.client

ANSWER_SECONDS = 2.0


def is_ready(host: str, port: int) -> bool:
    """Return whether the api at this address says that it can answer predictions."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
