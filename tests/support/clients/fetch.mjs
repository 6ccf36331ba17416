// Node's own client, as it comes.
const [url, token, ...rest] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
for (let place = 0; place < rest.length; place += 2) {
  const answer = await fetch(url + rest[place], { method: "POST", headers, body: rest[place + 1] });
  console.log(answer.status, await answer.text());
}
