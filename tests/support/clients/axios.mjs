// axios, from the folder that CLIENT_MODULES names.
import { createRequire } from "node:module";

const axios = createRequire(`${process.env.CLIENT_MODULES}/`)("axios");
const [url, token, ...rest] = process.argv.slice(2);
const client = axios.create({ baseURL: url, headers: { authorization: `Bearer ${token}` } });
for (let place = 0; place < rest.length; place += 2) {
  const answer = await client.post(rest[place], JSON.parse(rest[place + 1]));
  console.log(answer.status, JSON.stringify(answer.data));
}
