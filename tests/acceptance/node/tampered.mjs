// Enqueues a job whose payload was changed after it was signed, and prints the error that the worker answers with.

import { createHmac } from "node:crypto";
import Redis from "ioredis";
import { enqueue, outcome } from "./registry.mjs";

const [keyId, secret] = process.env.QUEUE_SIGNING_KEYS.split(":");
const payload = { record: { hospital_name: "Sunrise Clinic", source: "hr", external_id: "43", beds: 1 } };

function changed(body) {
  const digest = createHmac("sha256", secret).update(body).digest("hex");
  return `hmac-sha256:${keyId}:${digest}:${body.replace('"beds":1', '"beds":9')}`;
}

const redis = new Redis(process.env.REDIS_URL);
try {
  const [id] = await enqueue(redis, "ingest_hospital", "tampered", payload, changed);
  console.log(JSON.stringify(await outcome(redis, id, 20)));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  redis.disconnect();
}
