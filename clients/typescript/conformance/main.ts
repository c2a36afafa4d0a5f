// Runs the conformance cases that come on standard input, and prints what each call gave: see clients/conformance.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { fromJson, toJson, type DescMethod, type JsonValue } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { connect, MemoryError, MemoryService, pack, unpack, type MemoryClient } from "../src/index.js";
import { ErrorReasonSchema, FieldViolationSchema, HitSchema, SearchSummarySchema } from "../src/index.js";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../src/generated/grpc/health/v1/health_pb.js";

interface Call {
  rpc?: string;
  health?: "Check" | "Watch";
  service?: string;
  request?: JsonValue;
  pack?: string[];
  timeout?: number;
  pause?: number;
  take?: number;
}

interface Case {
  name: string;
  connect: { address: string; ca?: string; certificate?: string; key?: string; token?: string };
  calls: Call[];
}

async function run(memories: MemoryClient, call: Call): Promise<object> {
  await setTimeout((call.pause ?? 0) * 1000);
  const options = call.timeout ? { timeoutMs: call.timeout * 1000 } : {};
  const hits: JsonValue[] = [];
  const statuses: string[] = [];
  try {
    if (call.pack) {
      const packed = pack(floats(call.pack));
      return { packed: Buffer.from(packed).toString("hex"), unpacked: bits(unpack(packed)) };
    }
    if (call.health === "Check") {
      const answer = await memories.unary(Health.method.check)({ service: call.service ?? "" }, options);
      return { statuses: [Serving[answer.status]] };
    }
    if (call.health === "Watch") {
      for await (const answer of memories.stream(Health.method.watch, { service: call.service ?? "" }, options)) {
        if (statuses.push(Serving[answer.status]) === call.take) break;
      }
      return { statuses };
    }
    const method: DescMethod = MemoryService.methods.find((one) => one.name === call.rpc)!;
    const request = fromJson(method.input, packed(call.request!));
    if (call.rpc === "Search") {
      const found = memories.search(request as object, options);
      for await (const hit of found) {
        if (hits.push(toJson(HitSchema, hit)) === call.take) break;
      }
      return { hits, summary: found.summary ? toJson(SearchSummarySchema, found.summary) : {} };
    }
    return { response: toJson(method.output, await memories.unary(method)(request, options)) };
  } catch (error) {
    return { hits, statuses, error: told(error) };
  }
}

function told(error: unknown): object {
  if (!(error instanceof MemoryError)) {
    return { text: String(error) };
  }
  return {
    code: status[error.code],
    reason: ErrorReasonSchema.value[error.reason]!.name,
    text: error.message,
    metadata: error.metadata,
    violations: error.violations.map((one) => toJson(FieldViolationSchema, one)),
    retryDelay: (error.retryDelayMs ?? 0) / 1000,
  };
}

/** Replaces each {"float32": [bits]} by what pack makes of it; JSON carries bytes in base64. */
function packed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) {
    return value.map(packed);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  if (value["float32"]) {
    return Buffer.from(pack(floats(value["float32"] as string[]))).toString("base64");
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, packed(one)]));
}

function floats(texts: string[]): Float32Array {
  return new Float32Array(Uint32Array.from(texts, (text) => parseInt(text, 16)).buffer);
}

function bits(numbers: Float32Array): string[] {
  return Array.from(new Uint32Array(numbers.buffer), (number) => number.toString(16).padStart(8, "0"));
}

const file = (path?: string) => (path ? readFileSync(path) : undefined);

for (const { name, connect: to, calls } of JSON.parse(readFileSync(0, "utf8")) as Case[]) {
  const { address, token } = to;
  const tls = { ca: file(to.ca), certificate: file(to.certificate), key: file(to.key) };
  const memories = connect(address, { token, tls: to.ca ? tls : undefined });
  const results: object[] = [];
  for (const call of calls) {
    results.push(await run(memories, call));
  }
  memories.close();
  process.stdout.write(JSON.stringify({ name, results }) + "\n");
}
