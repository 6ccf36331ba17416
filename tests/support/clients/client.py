"""A bot's Python client: httpx, requests or aiohttp. Usage: client.py LIBRARY URL TOKEN [PATH BODY]..."""

import asyncio
import sys

library, url, token, *rest = sys.argv[1:]
headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
asked = list(zip(rest[::2], rest[1::2], strict=True))

if library == "httpx":
    import httpx

    with httpx.Client(base_url=url, headers=headers, transport=httpx.HTTPTransport(verify=False)) as client:
        for path, body in asked:
            answer = client.post(path, content=body)
            sys.stdout.write(f"{answer.status_code} {answer.text}\n")
elif library == "requests":
    import requests

    with requests.Session() as session:
        for path, body in asked:
            answered = session.post(url + path, data=body, headers=headers)
            sys.stdout.write(f"{answered.status_code} {answered.text}\n")
else:
    import aiohttp

    async def main() -> None:
        async with aiohttp.ClientSession(headers=headers) as opened:
            for path, body in asked:
                async with opened.post(url + path, data=body) as response:
                    sys.stdout.write(f"{response.status} {await response.text()}\n")

    asyncio.run(main())
