// A trading bot of the older system, in another language: it knows the table "RLModel" and ONNX Runtime, and nothing of
// Gatekeeper. It looks up the active row, loads the file at `path`, and reads the first output's numbers.
//
// node bot.mjs HOST DATABASE USER, started where `models/` is visible; rows of seven features as JSON on stdin.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const load = createRequire(join(process.env.BOT_MODULES, "package.json"));
const { Client } = load("pg");
const { InferenceSession, Tensor } = load("onnxruntime-node");

const [host, database, user] = process.argv.slice(2);
const client = new Client({ host, database, user });
await client.connect();
const active = `SELECT id, version, path FROM "RLModel" WHERE version LIKE 'gatekeeper_primary%'`;
const [row] = (await client.query(active)).rows;
await client.end();

const session = await InferenceSession.create(row.path);
const scores = [];
for (const features of JSON.parse(readFileSync(0, "utf8"))) {
  const input = new Tensor("float32", Float32Array.from(features), [1, 7]);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  scores.push(Number(outputs[session.outputNames[0]].data[0]));
}
process.stdout.write(JSON.stringify({ ...row, scores }));
