// Enqueues a job, signed, and waits for its outcome. It follows docs/protocol.md and knows nothing else.
//
//   node registry.mjs JOB IDEMPOTENCY_KEY PAYLOAD
//
// REDIS_URL, and QUEUE_SIGNING_KEYS=ID:SECRET,… as the workers have it: the first key signs, each verifies.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import Redis from "ioredis";

const QUEUES = { ingest_hospitals: "arq:queue:bulk" };
const KEYS = new Map(
  process.env.QUEUE_SIGNING_KEYS.split(",").map((pair) => {
    const end = pair.indexOf(":");
    return [pair.slice(0, end), pair.slice(end + 1)];
  }),
);
const ENQUEUE = readFileSync(new URL("enqueue.lua", import.meta.url), "utf8");

const hmac = (keyId, body) => createHmac("sha256", KEYS.get(keyId)).update(body).digest();

function sign(body) {
  const [keyId] = KEYS.keys();
  return `hmac-sha256:${keyId}:${hmac(keyId, body).toString("hex")}:${body}`;
}

function verified(message) {
  const [, keyId, digest, body] = /^hmac-sha256:([^:]*):([0-9a-f]{64}):([^]*)$/.exec(message) ?? [];
  if (!KEYS.has(keyId) || !timingSafeEqual(hmac(keyId, body), Buffer.from(digest, "hex"))) {
    throw new Error("the result is not signed with one of QUEUE_SIGNING_KEYS");
  }
  return JSON.parse(body);
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
}

// What the job does, so that the same key is not used for something else. `payload` has no field that is null or has
// its default, and no coordinates: JavaScript writes 16.0 as 16.
function callDigest(job, payload) {
  const call = JSON.stringify([job, sorted(payload)]);
  return createHash("sha256").update(call).digest().subarray(0, 12).toString("base64url");
}

export async function enqueue(redis, job, key, payload, signed = sign) {
  const id = `${job}:${key}`;
  const call = { v: 1, d: callDigest(job, payload), t: null, f: job, a: [payload], k: {}, et: Date.now(), id };
  const queue = QUEUES[job] ?? "arq:queue";
  const keys = [`arq:job:${id}`, `arq:result:${id}`, queue, "arq:dead"];
  return [id, await redis.eval(ENQUEUE, keys.length, ...keys, id, signed(JSON.stringify(call)), "0")];
}

export async function outcome(redis, id, seconds) {
  const deadline = Date.now() + seconds * 1000;
  for (let pause = 50; ; pause = Math.min(pause * 2, 1000)) {
    // A failed job's result and dead letter are written at once: asked first, a dead letter has its result by now.
    const dead = await redis.hexists("arq:dead", id);
    const stored = await redis.get(`arq:result:${id}`);
    if (stored !== null) {
      const result = verified(stored);
      if (result.id !== id) throw new Error("the result is of another job");
      if (result.s) return result.r;
      const { type, message } = result.r.__exception__;
      throw new Error(`${type}: ${message}`);
    }
    if (dead) throw new Error("dead letter: an operator retries or discards it");
    if (Date.now() + pause > deadline) throw new Error(`no outcome after ${seconds} s`);
    await sleep(pause);
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [job, key, payload] = process.argv.slice(2);
  const redis = new Redis(process.env.REDIS_URL);
  try {
    const [id, state] = await enqueue(redis, job, key, JSON.parse(payload));
    console.log(JSON.stringify({ id, state, outcome: await outcome(redis, id, 20) }));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    redis.disconnect();
  }
}
